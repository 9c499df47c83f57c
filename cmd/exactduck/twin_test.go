package main

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"exactduck/extract/sandbox"
)

// mishaps are what may go wrong with any call.
var mishaps = []sandbox.FaultKind{
	sandbox.ServerError, sandbox.BadGateway, sandbox.Unavailable, sandbox.TimedOut, sandbox.MinuteLimit, sandbox.DayLimit,
	sandbox.BareLimit, sandbox.Unauthorized, sandbox.Forbidden, sandbox.BadRequest, sandbox.CutBefore, sandbox.Cut,
	sandbox.CutBody, sandbox.Truncated, sandbox.Empty, sandbox.Page, sandbox.ForeignNext, sandbox.Redirect,
}

const twins = `      - crm/Accounts
      - financial/TransactionLines
      - cashflow/Payments
      - read/financial/ReceivablesList`

// Whichever call goes wrong, for ever so long, in whichever way: after the next run the tables
// equal the source, and no night in between has shown less than there was.
func TestFaultsLeaveNoTrace(t *testing.T) {
	t.Parallel()
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	dice := rand.New(rand.NewPCG(seed, 1))
	for _, kind := range sample(dice, slices.Clone(mishaps), rounds(4, len(mishaps))) {
		points := []int{1 + dice.IntN(20)}
		if long() {
			points = nil
			for n := 1; n <= 20; n++ {
				points = append(points, n)
			}
		}
		for _, n := range points {
			t.Run(fmt.Sprintf("%s at call %d", kind, n), func(t *testing.T) {
				w := newWorld(t, t.TempDir(), twins, sandbox.Options{Scale: 0.4})
				w.disturbed(sandbox.Fault{Path: "/api/v1/", Nth: n, Times: 1 + 7*dice.IntN(2), Kind: kind})
				w.clock.advance(untilTried(kind))
				w.run(syncOptions{})
				w.equal()
				w.change(rand.New(rand.NewPCG(1, uint64(n))))
				w.clock.advance(24 * time.Hour)
				w.disturbed(sandbox.Fault{Path: "/api/v1/", Nth: n, Times: 1 + 7*dice.IntN(2), Kind: kind})
				w.clock.advance(8 * 24 * time.Hour)
				w.run(syncOptions{})
				w.equal()
			})
		}
	}
}

// untilTried is after how long the program tries again what went wrong like this.
func untilTried(kind sandbox.FaultKind) time.Duration {
	if kind == sandbox.Forbidden {
		return 8 * 24 * time.Hour
	}
	return 24 * time.Hour
}

// disturbed syncs once while something goes wrong; how that run ends does not matter here, as long
// as it ends with one of the codes for what is not our fault.
func (w *world) disturbed(f sandbox.Fault) {
	w.t.Helper()
	w.sandbox.Fault(f)
	_, err := w.sync(w.t.Context(), w.pipeline(), syncOptions{})
	w.sandbox.ClearFaults()
	if code := exitCode(err); err != nil && (code == 0 || code == 1 || code == 2) {
		w.t.Errorf("the run ends with code %d: %v", code, err)
	}
}
