package schedule

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func zone(t *testing.T, name string) *time.Location {
	t.Helper()
	at, err := time.LoadLocation(name)
	if err != nil {
		t.Fatal(err)
	}
	return at
}

func parsed(t *testing.T, expr, where string) *Spec {
	t.Helper()
	s, err := Parse(expr, zone(t, where))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// occurrences are those of a schedule after one time and until another, at the clocks of its zone.
func occurrences(s *Spec, from, to string) (all []string) {
	after, _ := time.ParseInLocation(time.DateTime, from, s.zone)
	until, _ := time.ParseInLocation(time.DateTime, to, s.zone)
	for at := s.Next(after); !at.IsZero() && !at.After(until); at = s.Next(at) {
		all = append(all, at.In(s.zone).Format("02 15:04 MST"))
	}
	return all
}

// The nights in which clocks change, in zones where the hour that is left out or repeated is at two,
// at midnight, before midnight, of half an hour, or a whole day.
func TestNightsInWhichClocksChange(t *testing.T) {
	for _, c := range []struct {
		expr, zone, from, to string
		want                 []string
	}{
		{"0 2 * * *", "Europe/Amsterdam", "2026-03-28 00:00:00", "2026-03-30 12:00:00", []string{"28 02:00 CET", "29 03:00 CEST", "30 02:00 CEST"}},
		{"30 2 * * *", "Europe/Amsterdam", "2026-03-28 12:00:00", "2026-03-30 12:00:00", []string{"29 03:00 CEST", "30 02:30 CEST"}},
		{"30 2 * * *", "Europe/Amsterdam", "2026-10-24 12:00:00", "2026-10-26 12:00:00", []string{"25 02:30 CEST", "26 02:30 CET"}},
		{"0,30 2,3 * * *", "Europe/Amsterdam", "2026-03-29 00:00:00", "2026-03-29 12:00:00", []string{"29 03:00 CEST", "29 03:30 CEST"}},
		{"0 3 * * *", "Europe/Amsterdam", "2026-03-28 12:00:00", "2026-03-29 12:00:00", []string{"29 03:00 CEST"}},
		{"0 3 * * *", "Europe/Amsterdam", "2026-10-24 12:00:00", "2026-10-25 12:00:00", []string{"25 03:00 CET"}},
		{"*/30 * * * *", "Europe/Amsterdam", "2026-03-29 01:00:00", "2026-03-29 03:30:00", []string{"29 01:30 CET", "29 03:00 CEST", "29 03:30 CEST"}},
		{"*/30 * * * *", "Europe/Amsterdam", "2026-10-25 01:30:00", "2026-10-25 03:00:00", []string{"25 02:00 CEST", "25 02:30 CEST", "25 02:00 CET", "25 02:30 CET", "25 03:00 CET"}},
		{"@daily", "America/Sao_Paulo", "2018-11-03 12:00:00", "2018-11-05 12:00:00", []string{"04 01:00 -02", "05 00:00 -02"}},
		{"30 23 * * *", "America/Sao_Paulo", "2018-02-17 12:00:00", "2018-02-18 23:45:00", []string{"17 23:30 -02", "18 23:30 -03"}},
		{"0 0 * * *", "Asia/Beirut", "2026-03-28 12:00:00", "2026-03-30 12:00:00", []string{"29 01:00 EEST", "30 00:00 EEST"}},
		{"30 23 * * *", "America/Nuuk", "2026-03-27 12:00:00", "2026-03-29 23:45:00", []string{"27 23:30 -02", "29 00:00 -01", "29 23:30 -01"}},
		{"15 2 * * *", "Australia/Lord_Howe", "2026-10-03 12:00:00", "2026-10-05 12:00:00", []string{"04 02:30 +11", "05 02:15 +11"}},
		{"45 1 * * *", "Australia/Lord_Howe", "2026-04-04 12:00:00", "2026-04-06 12:00:00", []string{"05 01:45 +11", "06 01:45 +1030"}},
		{"0 4 * * *", "Pacific/Apia", "2011-12-28 12:00:00", "2012-01-01 12:00:00", []string{"29 04:00 -10", "31 04:00 +14", "01 04:00 +14"}},
		{"0 12 29 2 *", "UTC", "2026-01-01 00:00:00", "2030-01-01 00:00:00", []string{"29 12:00 UTC"}},
	} {
		t.Run(c.expr+" in "+c.zone+" "+c.from, func(t *testing.T) {
			if diff := cmp.Diff(c.want, occurrences(parsed(t, c.expr, c.zone), c.from, c.to)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// Once a day is once on every day of two years, at whatever time and in whatever zone.
func TestOnceALocalDay(t *testing.T) {
	for _, name := range []string{"Europe/Amsterdam", "Europe/London", "America/New_York", "America/Havana", "Asia/Beirut", "America/Nuuk", "Africa/Cairo", "Australia/Lord_Howe", "America/Santiago", "Africa/Casablanca", "Pacific/Apia"} {
		for minute := 0; minute < 24*60; minute += 30 {
			s := parsed(t, fmt.Sprintf("%d %d * * *", minute%60, minute/60), name)
			day := time.Date(2025, 12, 31, 23, 59, 59, 0, s.zone)
			at := day
			for n := range 730 {
				next := s.Next(at)
				date := time.Date(2026, 1, 1+n, 12, 0, 0, 0, s.zone)
				if off := next.Sub(date).Abs(); !next.After(at) || off > 13*time.Hour+30*time.Minute {
					t.Fatalf("%s in %s: occurrence %d is at %v, after %v", s, name, n, next, at)
				}
				at = next
			}
		}
	}
}

// From any moment on the next occurrence is the same as that of the moments before it.
func TestTheNextOccurrenceDependsOnNothingElse(t *testing.T) {
	for _, expr := range []string{"0 2 * * *", "*/20 * * * *", "30 1-3 * * *", "5 */6 * * 0"} {
		s := parsed(t, expr, "Europe/Amsterdam")
		for _, around := range []string{"2026-03-28", "2026-10-24"} {
			at, _ := time.ParseInLocation(time.DateOnly, around, s.zone)
			next := s.Next(at)
			for end := at.Add(60 * time.Hour); at.Before(end); at = at.Add(7 * time.Minute) {
				if !at.Before(next) {
					next = s.Next(next)
				}
				if got := s.Next(at); !got.Equal(next) {
					t.Fatalf("%s after %v: %v, want %v", s, at, got, next)
				}
			}
		}
	}
}

func TestProblemsOfSchedules(t *testing.T) {
	for expr, want := range map[string]string{
		"":                  "0 fields",
		"15 4 * *":          "4 fields",
		"0 15 4 * * *":      "6 fields",
		"15 25 * * *":       "above maximum",
		"0 2 * * 7":         "from 0, a Sunday",
		"TZ=Europe/Paris":   "timezone:",
		"CRON_TZ=UTC 0 4 *": "timezone:",
		"@every 5m":         "*/30 * * * *",
		"@noon":             "unrecognized",
		"nightly":           "1 fields",
		"x y z * *":         "failed to parse",
		"1-0 * * * *":       "beyond end of range",
		"*/0 * * * *":       "step of range should be a positive number",
	} {
		_, err := Parse(expr, time.UTC)
		bad, ok := errors.AsType[*Malformed](err)
		if !ok || !strings.Contains(bad.Error()+bad.Hint, want) || bad.Hint == "" {
			t.Errorf("%q gives %v, want %s", expr, err, want)
		}
	}
}

func TestWarnings(t *testing.T) {
	for _, c := range []struct{ expr, zone, want string }{
		{"15 4 * * *", "Europe/Amsterdam", ""},
		{"15 2 * * *", "Europe/Amsterdam", "between 02:00 and 02:59"},
		{"15 2 * * *", "UTC", ""},
		{"15 1 * * *", "Europe/London", "between 01:00 and 01:59"},
		{"15 2 * * *", "Europe/London", ""},
		{"@daily", "Asia/Beirut", "between 00:00 and 00:59"},
		{"*/10 * * * *", "Europe/Amsterdam", ""},
		{"*/10 0-22 * * *", "Europe/Amsterdam", "between 02:00"},
		{"0 0 31 2 *", "Europe/Amsterdam", "never"},
	} {
		got := strings.Join(parsed(t, c.expr, c.zone).Warnings(), "; ")
		if (c.want == "") != (got == "") || !strings.Contains(got, c.want) {
			t.Errorf("%s in %s: %q, want %q", c.expr, c.zone, got, c.want)
		}
	}
}

func TestJitterIsTheSameDuringADayAndLessThanTheTimeBetween(t *testing.T) {
	s := parsed(t, "*/10 * * * *", "Europe/Amsterdam")
	at := s.Next(time.Date(2026, 11, 20, 23, 0, 0, 0, time.UTC))
	seen := map[time.Duration]bool{}
	for range 20 {
		first := s.delay("nightly", at, time.Hour)
		if first < 0 || first >= 10*time.Minute || first != s.delay("nightly", at.Add(6*time.Hour), time.Hour) {
			t.Errorf("on %v it is %v, and %v six hours later", at, first, s.delay("nightly", at.Add(6*time.Hour), time.Hour))
		}
		seen[first] = true
		at = at.AddDate(0, 0, 1)
	}
	if len(seen) < 15 {
		t.Errorf("20 days have %d different delays", len(seen))
	}
	if s.delay("nightly", at, 0) != 0 || s.delay("nightly", at, time.Hour) == s.delay("hourly", at, time.Hour) {
		t.Error("no jitter is no delay, and pipelines differ")
	}
}
