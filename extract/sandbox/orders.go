package sandbox

import "slices"

// order is the records of a store in one order.
type order struct {
	list  []*record
	edits int // so many of the store's edits are in the list
}

// edit is one record that took the place of another; either may be nil.
type edit struct{ gone, came *record }

// note lets the sorted views find out what changed. A view is brought up to date when it is asked
// for: to sort a hundred thousand records again after each change would take longer than the change.
func (s *store) note(gone, came *record) {
	s.both = nil
	if len(s.orders) == 0 {
		return
	}
	if len(s.edits) > 64+len(s.records)/4 {
		s.unsort()
		return
	}
	s.edits = append(s.edits, edit{gone, came})
}

// unsort forgets the sorted views.
func (s *store) unsort() {
	clear(s.orders)
	s.edits, s.both = nil, nil
}

// sorted is the records in an order, which the name stands for. The list must not be changed; it
// stays as it is when the store changes.
func (s *store) sorted(name string, compare func(a, b *record) int) []*record {
	o := s.orders[name]
	switch {
	case o == nil:
		o = &order{list: make([]*record, 0, len(s.records))}
		for _, r := range s.records {
			o.list = append(o.list, r)
		}
		slices.SortFunc(o.list, compare)
		s.orders[name] = o
	case o.edits < len(s.edits):
		o.list = edited(o.list, s.edits[o.edits:], compare)
	}
	o.edits = len(s.edits)
	return o.list
}

// edited is a sorted list with edits applied.
func edited(list []*record, edits []edit, compare func(a, b *record) int) []*record {
	gone, came := map[*record]bool{}, []*record{}
	for _, e := range edits {
		if e.gone != nil {
			gone[e.gone] = true
		}
		if e.came != nil {
			came = append(came, e.came)
		}
	}
	came = slices.DeleteFunc(came, func(r *record) bool { return gone[r] })
	slices.SortFunc(came, compare)
	merged := make([]*record, 0, len(list)+len(came))
	for _, r := range list {
		if gone[r] {
			continue
		}
		for len(came) > 0 && compare(came[0], r) < 0 {
			merged, came = append(merged, came[0]), came[1:]
		}
		merged = append(merged, r)
	}
	return append(merged, came...)
}
