package pay

import "slices"

// Records is the truth about a resource of an account, for tests: what a list of it should show, in
// the order of the key. "" is the first account, "0" all of them; accounts, onboardings and mcc are
// always of all. Payment methods have their customerId in addition. The answer is nil when there is no
// such resource or account.
//
// Values are as JSON has them, but integers are int64 and dates time.Time, in UTC; nested objects are
// map[string]any and lists []any.
func (s *Sandbox) Records(account, resource string) []map[string]any {
	s.mu.Lock()
	defer s.mu.Unlock()
	accounts, err := s.world.chosen(account)
	if err != nil {
		return nil
	}
	var records []map[string]any
	for _, r := range s.rowsOf(accounts, resource) {
		o := r.shown()
		if m, ok := r.(*method); ok {
			o["customerId"] = m.owner.id
		}
		records = append(records, truth(o).(map[string]any))
	}
	return records
}

// chosen are the accounts that a caller names, see [Sandbox.Records].
func (w *world) chosen(id string) ([]*account, error) {
	if id == "0" {
		return w.accounts, nil
	}
	a, err := w.account(id)
	return []*account{a}, err
}

// rowsOf are the rows of a resource, sorted by key.
func (s *Sandbox) rowsOf(accounts []*account, resource string) []row {
	var rows []row
	switch resource {
	case "accounts":
		rows = rowsFrom(s.world.accounts)
	case "onboardings":
		rows = rowsFrom(s.world.applicants)
	case "mcc":
		rows = rowsFrom(codes)
	}
	for _, a := range accounts {
		switch resource {
		case "customers":
			rows = append(rows, rowsFrom(a.customers)...)
		case "payments":
			rows = append(rows, s.payments(a)...)
		case "orders":
			rows = append(rows, rowsFrom(a.orders)...)
		case "payment_methods":
			for _, c := range a.customers {
				rows = append(rows, rowsFrom(c.methods)...)
			}
		}
	}
	slices.SortFunc(rows, byIdent)
	return rows
}

// payments are those that lists show.
func (s *Sandbox) payments(a *account) []row {
	return rowsFrom(slices.DeleteFunc(slices.Clone(a.payments), func(p *payment) bool {
		return s.switches.HideRefunds && p.kind != ordinary
	}))
}
