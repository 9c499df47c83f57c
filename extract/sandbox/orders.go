package sandbox

import (
	"cmp"
	"slices"
)

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
	gone, came := map[*record]bool{}, map[*record]bool{}
	for _, e := range edits {
		if e.gone != nil && !came[e.gone] {
			gone[e.gone] = true
		}
		delete(came, e.gone)
		if e.came != nil {
			came[e.came] = true
		}
	}
	cuts := []cut{}
	for r := range gone {
		cuts = append(cuts, cut{at: placeIn(list, r, compare)})
	}
	for r := range came {
		at, _ := slices.BinarySearchFunc(list, r, compare)
		cuts = append(cuts, cut{at, r})
	}
	slices.SortFunc(cuts, func(a, b cut) int { return a.compare(b, compare) })
	return spliced(list, cuts)
}

// cut is where a record goes, or comes before the one that is there.
type cut struct {
	at   int
	came *record
}

func (c cut) compare(other cut, compare func(a, b *record) int) int {
	if c.at != other.at || c.came == nil || other.came == nil {
		return cmp.Or(c.at-other.at, btoi(c.came == nil)-btoi(other.came == nil))
	}
	return compare(c.came, other.came)
}

// placeIn finds a record in a sorted list.
func placeIn(list []*record, r *record, compare func(a, b *record) int) int {
	if at, found := slices.BinarySearchFunc(list, r, compare); found && list[at] == r {
		return at
	}
	return slices.Index(list, r) // another one is equal to it
}

func spliced(list []*record, cuts []cut) []*record {
	next := make([]*record, 0, len(list)+len(cuts))
	from := 0
	for _, c := range cuts {
		next = append(next, list[from:c.at]...)
		from = c.at
		if c.came == nil {
			from++
		} else {
			next = append(next, c.came)
		}
	}
	return append(next, list[from:]...)
}
