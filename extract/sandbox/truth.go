package sandbox

import (
	"encoding/json"
	"fmt"
	"iter"
	"time"
)

// Records is the truth about an endpoint or a stream of a division, for tests: the properties of
// every visible record, in the order of the key. Path is "crm/Accounts", "sync/CRM/Accounts", or
// a path of the API; of a stream's name it is the standard endpoint. Nested properties are left
// out. Division 0 is the first. The answer is nil when there is no such endpoint or division.
//
// Values are nil, bool, int64 (all integers, Int64 too), json.Number (Double: the exact decimal of
// the books; what is sent may differ by binary noise below 1e-8), string (String, and Guid in lower
// case), []byte (Binary), and time.Time for DateTime: the wall time, in UTC.
func (s *Sandbox) Records(division int, path string) []map[string]any {
	rows, err := s.RecordsOf(division, path, nil)
	if err != nil {
		return nil
	}
	return rows
}

// RecordsOf is the truth about a function, given its parameters, as Records is about any endpoint.
// Parameters are Go values: string (a Guid, a String, or a DateTime as 2026-01-31 or
// 2026-01-31T10:00:00), bool, a number, or time.Time, of which the wall time counts. A function that
// returns a single value has one record, with the name of the function as its property.
func (s *Sandbox) RecordsOf(division int, path string, params map[string]any) ([]map[string]any, error) {
	var rows []map[string]any
	err := s.walk(division, path, params, func(row map[string]any) bool {
		rows = append(rows, row)
		return true
	})
	return rows, err
}

// Walk goes through the truth about an endpoint or a stream record by record, for those that are too
// many for Records. The sandbox must not be used while it does.
func (s *Sandbox) Walk(division int, path string) iter.Seq[map[string]any] {
	return func(yield func(map[string]any) bool) {
		_ = s.walk(division, path, nil, yield) // what is not there has no records
	}
}

func (s *Sandbox) walk(division int, path string, params map[string]any, yield func(map[string]any) bool) error {
	s.playTime()
	s.mu.Lock()
	defer s.mu.Unlock()
	d, err := s.division(division)
	if err != nil {
		return err
	}
	v := s.view(path)
	if v == nil {
		return fmt.Errorf("the sandbox has no endpoint %s", path)
	}
	args, err := v.argumentsFrom(params)
	if err != nil {
		return fmt.Errorf("records of %s: %w", path, err)
	}
	if v.endpoint.Keyless && len(v.props) == 0 {
		yield(map[string]any{v.endpoint.Name: goValue(d.worth(v, args).worth)})
		return nil
	}
	order, err := v.order(&query{})
	if err != nil {
		return err
	}
	for _, r := range s.visible(v, d, args).sorted(order.name(), order.compare) {
		if !yield(v.truth(r)) {
			break
		}
	}
	return nil
}

func (v *view) truth(r *record) map[string]any {
	row := make(map[string]any, len(v.props))
	for _, p := range v.props {
		if !p.nested {
			row[p.name] = goValue(p.of(r))
		}
	}
	return row
}

func goValue(v any) any {
	switch v := v.(type) {
	case num:
		return json.Number(v)
	case guid:
		return string(v)
	case stamp:
		return time.Time(v.time())
	case blob:
		return []byte(v)
	}
	return v
}
