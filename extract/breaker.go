package extract

import (
	"time"

	"exactduck/extract/ledger"
	"exactduck/schema"
)

// breakerRefusals is when an endpoint is left alone. Exact blocks an endpoint of a company for an
// hour, and longer each time, after 10 errors within an hour. Stopping half way leaves room for other
// software of the same app.
const breakerRefusals = 5

// address is an endpoint in a scope.
type address struct {
	scope    schema.Scope
	endpoint string
}

// blocked is why an endpoint is not to be called; nil: it may be. ahead is the vendor's clock's lead.
func blocked(a *ledger.Account, to address, ahead time.Duration) *Blocked {
	recent := a.Refusals[to.endpoint]
	if len(recent) < breakerRefusals {
		return nil
	}
	return &Blocked{
		Endpoint: to.endpoint, Scope: to.scope, Refusals: len(recent),
		Until: recent[len(recent)-breakerRefusals].Add(ledger.Within - ahead),
	}
}

// room is how many refusals an endpoint may give yet, when all calls to it that are under way are
// refused.
func room(a *ledger.Account, endpoint string) int {
	return breakerRefusals - len(a.Refusals[endpoint]) - a.Pending(endpoint)
}

// Parked are the endpoints of a scope that are left alone, and until when by this machine's clock.
func Parked(a *ledger.Account, s schema.Scope) []*Blocked {
	var parked []*Blocked
	for endpoint := range a.Refusals {
		if b := blocked(a, address{s, endpoint}, a.Ahead); b != nil {
			parked = append(parked, b)
		}
	}
	return parked
}
