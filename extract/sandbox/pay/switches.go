package pay

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"exactduck/extract/sandbox/internal/switches"
)

// Switches are the rules of which nobody knows how the service has them, or of which there are
// several. The zero value is what is documented, where something is.
type Switches struct {
	// Filters are "obeyed" (the zero value is that too), "ignored" or "refused" with a 400.
	Filters string `switch:"filters"`
	// IgnoredFilters names properties by which nothing is filtered: updatedAt. "from" and "to" of
	// orders can be among them: then the last month counts.
	IgnoredFilters []string `switch:"ignored_filters"`
	// Sorts are the spellings of a sort order that are obeyed, of "object" ($sort[a]=asc), "plain"
	// ($sort=-a) and "colon" ($sort=a:asc), or "none"; empty: all of them. Others are ignored.
	Sorts []string `switch:"sorts"`
	// Natural is the order of what is not sorted: "inserted" (the zero value is that too), "newest"
	// first, or "scattered", which is none.
	Natural string `switch:"natural"`
	// UnstableTies puts rows that are equal in what they are sorted by into another order with every
	// request.
	UnstableTies bool `switch:"unstable_ties"`
	// PageCap is the most rows of a page, whatever $limit says; 0: 100.
	PageCap int `switch:"page_cap"`
	// PageAll pages lists for which no paging is documented, accounts and codes, as the others. They are
	// answered whole otherwise.
	PageAll bool `switch:"page_all"`
	// Hollow, Ragged and Repeat spoil every so many pages of a list that is paged: a hollow one is empty
	// though rows follow, a ragged one has fewer than were asked for, and a repeating one begins with the
	// last row of the page before; 0: none.
	Hollow int `switch:"hollow"`
	Ragged int `switch:"ragged"`
	Repeat int `switch:"repeat"`
	// Counts are the totals: "exact" (the zero value is that too), "absent", "wrong", which is three
	// too many, "low", which is two too few, "page", the rows of the page, or "all", whatever is
	// filtered.
	Counts string `switch:"counts"`
	// Appear and Vanish let, before every so many lists, a row appear in or vanish from the account
	// and resource that is listed; 0: never.
	Appear int `switch:"appear"`
	Vanish int `switch:"vanish"`
	// TokenLife is that of user tokens; 0: two hours. Rigid ones end then whatever is done with them;
	// the others so long after they were last used.
	TokenLife  time.Duration `switch:"token_life"`
	TokenRigid bool          `switch:"token_rigid"`
	// PasswordExpired answers logins with a 403.
	PasswordExpired bool `switch:"password_expired"`
	// Lacking is the status for a permission that is missing where payments and orders are not
	// concerned, which answer 403: 0 is 401, as documented; or 403.
	Lacking int `switch:"lacking"`
	// Payments401 lets payments and orders answer 401 in plain text to a token that is none.
	Payments401 bool `switch:"payments_401"`
	// Partner is what an organization's token gets where no account is named, at /payments, /customer
	// and /orders: "all" of its accounts (the zero value is that too), "none" of them, or "refused".
	Partner string `switch:"partner"`
	// HideRefunds leaves payments of the types refund and void out of lists.
	HideRefunds bool `switch:"hide_refunds"`
	// DisabledRefused refuses what belongs to a disabled account.
	DisabledRefused bool `switch:"disabled_refused"`
	// ExclusiveTo leaves out of a window of orders what was made in its last millisecond.
	ExclusiveTo bool `switch:"exclusive_to"`
	// CustomerObject answers a list of customers that holds one with the object alone, as one page of
	// the documentation has it, and CustomerCreated lists those of an account with a 201.
	CustomerObject  bool `switch:"customer_object"`
	CustomerCreated bool `switch:"customer_created"`
	// RateLimit is how many requests a token has in a minute; 0: no limit. Refusals say in Retry-After
	// when to come back unless they are bare.
	RateLimit  int  `switch:"rate_limit"`
	BareLimits bool `switch:"bare_limits"`
}

// positions are what switches that are words can be.
var positions = map[string][]string{
	"filters": {"", "obeyed", "ignored", "refused"},
	"natural": {"", "inserted", "newest", "scattered"},
	"counts":  {"", "exact", "absent", "wrong", "low", "page", "all"},
	"partner": {"", "all", "none", "refused"},
	"lacking": {"0", "401", "403"},
}

var spellings = []string{"object", "plain", "colon", "none"}

func (w Switches) check() error {
	set := switches.Positions(&w)
	for name, list := range positions {
		if !slices.Contains(list, set[name]) {
			return fmt.Errorf("switch %s: %q is none of %s", name, set[name], strings.TrimSpace(strings.Join(list, " ")))
		}
	}
	for _, spelling := range w.Sorts {
		if !slices.Contains(spellings, spelling) {
			return fmt.Errorf("switch sorts: %q is none of %s", spelling, strings.Join(spellings, " "))
		}
	}
	if min(w.PageCap, w.Appear, w.Vanish, w.Hollow, w.Ragged, w.Repeat, w.RateLimit) < 0 || w.TokenLife < 0 {
		return fmt.Errorf("switches cannot be negative")
	}
	return nil
}

// Switch changes the rules while the sandbox runs. It survives a restart, and then overrides what New
// is given.
func (s *Sandbox) Switch(change func(*Switches)) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	next := s.switches
	change(&next)
	if err := next.check(); err != nil {
		return err
	}
	if set := switches.Changed(&s.switches, &next); len(set) > 0 {
		return s.do(step{Op: "set", Set: set})
	}
	return nil
}
