package sandbox_test

import (
	"sync"
	"testing"
	"time"

	"exactduck/extract/sandbox"
)

// A sandbox is used by many at once while it is steered and its scenario runs.
func TestManyAtOnce(t *testing.T) {
	v := visit(t, sandbox.Options{Scale: 0.05, Scenario: scenario(t, "- every: 1m\n  change: {entity: crm/Accounts, insert: 1}\n- every: 3 calls\n  set: {others: 3}\n")})
	before := count(v, "crm/Accounts")
	var all sync.WaitGroup
	for i := range 4 {
		all.Go(func() {
			for j := range 10 {
				v.clock.pass(time.Second)
				if _, _, _, err := v.try(accounts+"?$select=ID", "application/json"); err != nil {
					t.Error(err)
				}
				if err := v.sandbox.Switch(func(o *sandbox.Options) { o.PageSize = 10 + i + j }); err != nil {
					t.Error(err)
				}
				v.sandbox.Fault(sandbox.Fault{Path: "crm/Accounts", Kind: sandbox.MinuteLimit})
				if err := v.sandbox.Change(sandbox.Change{Entity: "crm/Accounts", Insert: 1}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	v.clock.pass(20 * time.Second)
	if got := count(v, "crm/Accounts"); got != before+41 {
		t.Errorf("%d accounts became %d", before, got)
	}
}
