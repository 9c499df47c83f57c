package sandbox

import (
	"encoding/json"
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
	s.mu.Lock()
	defer s.mu.Unlock()
	d, err := s.division(division)
	v := s.view(path)
	if err != nil || v == nil {
		return nil
	}
	order, err := v.order(&query{})
	if err != nil {
		return nil
	}
	list := s.visible(v, d, &query{params: map[string]string{}}).sorted(order.name(), order.compare)
	rows := make([]map[string]any, len(list))
	for i, r := range list {
		rows[i] = make(map[string]any, len(v.props))
		for _, p := range v.props {
			if !p.nested {
				rows[i][p.name] = goValue(p.of(r))
			}
		}
	}
	return rows
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
