package main

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"exactduck/extract/sandbox"
)

// Whatever a night without masks was killed at, a mask that is asked for then leaves nothing of what
// that night has written anywhere.
func TestKilledNightsAreMasked(t *testing.T) {
	t.Parallel()
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	bare := newOffice(t, bareStreams, sandbox.Options{Divisions: 1, Scale: 0.05})
	plant(t, bare.sandbox)
	bare.synced()
	bare.change(sandbox.Change{Entity: "crm/Accounts", Insert: 1, Update: 3})
	writeKey(t, bare.dir, maskKey)
	told := bare.copy(t).steps("sync")
	for _, n := range some(rand.New(rand.NewPCG(seed, 0)), rounds(1, 100), len(told)) {
		t.Run(fmt.Sprintf("at %d, %s", n, told[n-1]), func(t *testing.T) {
			o := bare.copy(t)
			o.kill(n, "sync")
			o.configure(bareStreams + maskLines)
			o.run(0, "compact", "-q")
			nothingFound(t, o.dir)
			o.run(0, "sync", "-q")
			nothingFound(t, o.dir)
			o.tidy()
		})
	}
}

// Whatever a run is killed at that moves stored values into a column, the next one has them there.
func TestKilledWhileAColumnIsFilled(t *testing.T) {
	t.Parallel()
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	before := newOffice(t, bareStreams, sandbox.Options{Divisions: 2, Scale: 0.05})
	if err := before.sandbox.AddProperty("sync/CRM/Accounts", "Size", "Edm.String", "43"); err != nil {
		t.Fatal(err)
	}
	before.synced()
	before.configure("      - {stream: crm/Accounts, types: {Size: INTEGER}}\n      - crm/Contacts")
	const sizes = "SELECT string_agg(concat_ws('/', ID, Size, _extra), ' ' ORDER BY ID) FROM crm.Accounts"
	whole := before.copy(t)
	told := whole.steps("sync")
	want := whole.ask(sizes)
	if !strings.Contains(want, "/43 ") {
		t.Fatalf("undisturbed they are %s", want)
	}
	first := slices.Index(told, "statement begins")
	for _, n := range some(rand.New(rand.NewPCG(seed, 0)), rounds(1, 100), len(told)-first) {
		n += first
		t.Run(fmt.Sprintf("at %d, %s", n, told[n-1]), func(t *testing.T) {
			o := before.copy(t)
			o.kill(n, "sync")
			o.run(0, "sync", "-q")
			if got := o.ask(sizes); got != want {
				t.Errorf("they are %s, want %s", got, want)
			}
			o.tidy()
		})
	}
}
