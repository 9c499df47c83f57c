// Package switches reads and sets fields of a struct by name and as text: those with a switch tag.
// Begin with [Set].
package switches

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Names are the switches of a struct, sorted. o is a pointer to it, here and below.
func Names(o any) []string { return slices.Sorted(maps.Keys(fields(o))) }

// fields are those that have a switch, by its name.
func fields(o any) map[string]reflect.Value {
	list := map[string]reflect.Value{}
	v := reflect.ValueOf(o).Elem()
	for i := range v.NumField() {
		if name := v.Type().Field(i).Tag.Get("switch"); name != "" {
			list[name] = v.Field(i)
		}
	}
	return list
}

// Positions are the switches as text; lists are separated by spaces.
func Positions(o any) map[string]string {
	texts := map[string]string{}
	for name, field := range fields(o) {
		switch v := field.Interface().(type) {
		case []string:
			texts[name] = strings.Join(v, " ")
		default:
			texts[name] = fmt.Sprint(v)
		}
	}
	return texts
}

// Set sets a switch from text.
func Set(o any, name, text string) error {
	field, known := fields(o)[name]
	if !known {
		return fmt.Errorf("there is no switch %s; there are %s", name, strings.Join(Names(o), " "))
	}
	v, err := position(field.Interface(), text)
	if err != nil {
		return fmt.Errorf("switch %s: %q is no %w", name, text, err)
	}
	field.Set(reflect.ValueOf(v).Convert(field.Type()))
	return nil
}

// Changed are the switches that are set differently in two structs, as they are in the second.
func Changed(before, after any) map[string]string {
	set, former := map[string]string{}, Positions(before)
	for name, text := range Positions(after) {
		if text != former[name] {
			set[name] = text
		}
	}
	return set
}

// SetAll sets switches from text, in the order of their names, up to the first that cannot be set.
func SetAll(o any, set map[string]string) error {
	for _, name := range slices.Sorted(maps.Keys(set)) {
		if err := Set(o, name, set[name]); err != nil {
			return err
		}
	}
	return nil
}

// position reads a text as a value of the type of another; the error says what it should be.
func position(like any, text string) (any, error) {
	switch like.(type) {
	case bool:
		v, err := YesOrNo(text)
		return v, err
	case time.Duration:
		if v, err := Span(text); err == nil {
			return v, nil
		}
		return nil, fmt.Errorf("duration like 10m, 24h or 70d")
	case []string:
		return strings.Fields(text), nil
	case string:
		return text, nil
	}
	if v, err := strconv.Atoi(text); err == nil {
		return v, nil
	}
	return nil, fmt.Errorf("number")
}

// YesOrNo reads true, yes, 1, false, no, 0.
func YesOrNo(text string) (bool, error) {
	switch text {
	case "yes":
		return true, nil
	case "no":
		return false, nil
	}
	v, err := strconv.ParseBool(text)
	if err != nil {
		return false, fmt.Errorf("true or false")
	}
	return v, nil
}

// Span reads a duration, of which days may be the unit: 90s, 24h, 70d.
func Span(text string) (time.Duration, error) {
	if days, ok := strings.CutSuffix(text, "d"); ok {
		n, err := strconv.ParseUint(days, 10, 16)
		return time.Duration(n) * 24 * time.Hour, err
	}
	return time.ParseDuration(text)
}
