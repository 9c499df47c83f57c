package config

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// none takes a default back.
const none = "none"

// Date is a day, written 2023-01-31, or none. The zero value is not given.
type Date struct {
	time.Time
	none    bool
	problem error
}

func (d Date) given() bool { return d.none || d.problem != nil || !d.IsZero() }

// UnmarshalYAML never fails on a bad date: that is for the check to report, with its place.
func (d *Date) UnmarshalYAML(decode func(any) error) error {
	text, err := scalar(decode)
	if err != nil || text == "" {
		return err
	}
	if d.none = text == none; !d.none {
		d.Time, d.problem = ParseDate(text, time.UTC)
	}
	return nil
}

// ParseDate reads a day, or a day and a time (2023-01-31T18:00:00), as the wall clock of zone.
func ParseDate(text string, zone *time.Location) (time.Time, error) {
	for _, layout := range []string{time.DateOnly, "2006-01-02T15:04:05", "2006-01-02T15:04", time.DateTime} {
		t, err := time.ParseInLocation(layout, text, zone)
		if err == nil && t.Year() >= 1753 { // the vendor's database knows no earlier day
			return t, nil
		}
	}
	return time.Time{}, fmt.Errorf("%q is no date; write it like 2023-01-31", text)
}

// Duration is a span of time, written 7d, 36h or 90m, or none where there may be none. The zero
// value is not given.
type Duration struct {
	time.Duration
	none    bool
	problem error
}

func (d Duration) given() bool { return d.none || d.problem != nil || d.Duration != 0 }

// UnmarshalYAML never fails on a bad duration: that is for the check to report, with its place.
func (d *Duration) UnmarshalYAML(decode func(any) error) error {
	text, err := scalar(decode)
	if err != nil || text == "" {
		return err
	}
	if d.none = text == none; !d.none {
		d.Duration, d.problem = parseDuration(text)
	}
	return nil
}

func parseDuration(text string) (time.Duration, error) {
	days, isDays := strings.CutSuffix(text, "d")
	if n, err := strconv.Atoi(days); isDays && err == nil && n > 0 && n <= 3650 {
		return time.Duration(n) * 24 * time.Hour, nil
	}
	if d, err := time.ParseDuration(text); err == nil && d > 0 {
		return d, nil
	}
	return 0, fmt.Errorf("%q is no duration; write it like 7d, 36h or 90m", text)
}

// Reserve is a part of a quota: a share in percent, or a number of calls. The zero value is none.
type Reserve struct {
	Percent float64
	Calls   int
	problem error
}

// UnmarshalYAML never fails on a bad reserve: that is for the check to report, with its place.
func (r *Reserve) UnmarshalYAML(decode func(any) error) error {
	text, err := scalar(decode)
	if err != nil || text == "" {
		return err
	}
	share, isShare := strings.CutSuffix(text, "%")
	if isShare {
		r.Percent, err = strconv.ParseFloat(strings.TrimSpace(share), 64)
	} else {
		r.Calls, err = strconv.Atoi(text)
	}
	switch {
	case err != nil || r.Calls < 0 || !(r.Percent >= 0): // not a number either
		r.problem = fmt.Errorf("%q is no part of a quota; write it like 20%% or 1000", text)
	case r.Percent >= 100:
		r.problem = fmt.Errorf("%s would leave no call to make", text)
	}
	return nil
}

// Zone is a time zone by its name, Europe/Amsterdam.
type Zone struct {
	*time.Location
	problem error
}

// UnmarshalYAML never fails on an unknown zone: that is for the check to report, with its place.
func (z *Zone) UnmarshalYAML(decode func(any) error) error {
	text, err := scalar(decode)
	if err != nil || text == "" {
		return err
	}
	// "Local" would make the outcome depend on the machine.
	if z.Location, err = time.LoadLocation(text); err != nil || text == "Local" {
		z.problem = fmt.Errorf("%q is no time zone; write it like Europe/Amsterdam", text)
	}
	return nil
}

func (z *Zone) orDefault() {
	if z.Location != nil {
		return
	}
	var err error
	if z.Location, err = time.LoadLocation(DefaultZone); err != nil {
		z.problem = errors.New("this machine has no time zone database")
	}
}

// UnmarshalYAML takes a name as well as a mapping.
func (s *Stream) UnmarshalYAML(decode func(any) error) error {
	if name, err := scalar(decode); err == nil {
		s.Stream = name
		return nil
	}
	type plain Stream // without this method
	return decode((*plain)(s))
}

// UnmarshalYAML takes one division as well as a list.
func (d *Divisions) UnmarshalYAML(decode func(any) error) error {
	if one, err := scalar(decode); err == nil {
		*d = Divisions{one}
		return nil
	}
	return decode((*[]string)(d))
}

func scalar(decode func(any) error) (string, error) {
	var text string
	err := decode(&text)
	return text, err
}
