package sandbox

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Switch changes, while the sandbox runs, the rules that it goes by: the fields of Options that have
// a switch. Changes to others are without effect. Like all that is done to a sandbox it survives a
// restart, and then overrides what New is given.
func (s *Sandbox) Switch(change func(*Options)) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	next := s.options
	change(&next)
	set, before := map[string]string{}, positions(&s.options)
	for name, text := range positions(&next) {
		if text != before[name] {
			set[name] = text
		}
	}
	if len(set) == 0 {
		return nil
	}
	return s.do(step{Op: "set", Set: set})
}

// Set sets a switch by its name, as [Manual] has it: "others" to "30", "skip_token_life" to "10m".
func (o *Options) Set(name, text string) error { return setSwitch(o, name, text) }

func (s *Sandbox) redoSet(x step, _ stamp) error {
	next := s.options
	for name, text := range x.Set {
		if err := setSwitch(&next, name, text); err != nil {
			return err
		}
	}
	s.options = next
	s.limits.follow(next)
	return nil
}

// switchable are the fields of Options that have a switch, by its name.
func switchable() map[string]int {
	fields := map[string]int{}
	t := reflect.TypeFor[Options]()
	for i := range t.NumField() {
		if name := t.Field(i).Tag.Get("switch"); name != "" {
			fields[name] = i
		}
	}
	return fields
}

// positions are the switches as text.
func positions(o *Options) map[string]string {
	texts := map[string]string{}
	for name, i := range switchable() {
		switch v := reflect.ValueOf(o).Elem().Field(i).Interface().(type) {
		case []string:
			texts[name] = strings.Join(v, " ")
		default:
			texts[name] = fmt.Sprint(v)
		}
	}
	return texts
}

// setSwitch sets one by its name; lists are separated by spaces.
func setSwitch(o *Options, name, text string) error {
	i, known := switchable()[name]
	if !known {
		return fmt.Errorf("there is no switch %s; there are %s", name, strings.Join(slices.Sorted(maps.Keys(switchable())), " "))
	}
	v, err := position(reflect.ValueOf(o).Elem().Field(i).Interface(), text)
	if err != nil {
		return fmt.Errorf("switch %s: %q is no %w", name, text, err)
	}
	reflect.ValueOf(o).Elem().Field(i).Set(reflect.ValueOf(v))
	return nil
}

// position reads a text as a value of the type of another; the error says what it should be.
func position(like any, text string) (any, error) {
	switch like.(type) {
	case bool:
		if v, err := strconv.ParseBool(text); err == nil {
			return v, nil
		}
		return nil, fmt.Errorf("true or false")
	case time.Duration:
		if v, err := parseSpan(text); err == nil {
			return v, nil
		}
		return nil, fmt.Errorf("duration like 10m, 24h or 70d")
	case []string:
		return strings.Fields(text), nil
	}
	if v, err := strconv.Atoi(text); err == nil {
		return v, nil
	}
	return nil, fmt.Errorf("number")
}

// parseSpan reads a duration, of which days may be the unit: 90s, 24h, 70d.
func parseSpan(text string) (time.Duration, error) {
	if days, ok := strings.CutSuffix(text, "d"); ok {
		n, err := strconv.ParseUint(days, 10, 16)
		return time.Duration(n) * 24 * time.Hour, err
	}
	return time.ParseDuration(text)
}
