package exactonline_test

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"exactduck/extract"
	"exactduck/extract/exactonline"
	"exactduck/extract/sandbox"
)

// Every variant of every stream delivers the books as they are, column by column.
func TestEveryVariantDeliversTheBooks(t *testing.T) {
	f := open(t, sandbox.Options{Seed: 7, Scale: 0.2})
	s := f.source()
	rows, endpoints := 0, 0
	for _, stream := range append(exactonline.Streams(), exactonline.Deletions()) {
		for _, v := range stream.Variants {
			endpoints++
			b := &books{stream: stream, variant: v, rows: map[string]map[string]string{}, version: map[string]int64{}}
			if err := b.load(f, func() *exactonline.Source { return s }); err != nil {
				t.Errorf("%s: %v", v.Name, err)
				continue
			}
			compare(t, v.Name, b.rows, truth(f, v))
			rows += len(b.rows)
		}
	}
	if rows < 5000 {
		t.Errorf("%d rows prove little", rows)
	}
	if pullable := 374; endpoints != pullable {
		t.Errorf("%d endpoints were read, want %d", endpoints, pullable)
	}
}

// Whatever people do between two reads, and however late their transactions become visible, the
// next reads bring it.
func TestIncrementalReadsMissNothing(t *testing.T) {
	for _, name := range []string{"sync/crm/Accounts", "standard/crm/Accounts", "bulk/financial/TransactionLines", "sync/logistics/Items", "sync/manufacturing/MaterialIssues", "sync/documents/DocumentAttachments"} {
		t.Run(strings.ReplaceAll(name, "/", " "), func(t *testing.T) {
			f := open(t, sandbox.Options{Seed: 11, Scale: 0.1})
			b, gone := ledgerOf(t, name), newDeletions()
			s := f.source()
			step := func(wait time.Duration) {
				f.pass(wait)
				if err := b.load(f, func() *exactonline.Source { return s }); err != nil {
					t.Fatal(err)
				}
				if err := gone.load(f, func() *exactonline.Source { return s }); err != nil {
					t.Fatal(err)
				}
			}
			step(0)
			for round := range 12 {
				f.change(b, sandbox.Change{Insert: 2, Update: 3, Delete: round % 2, Late: round%3 == 0})
				f.change(b, sandbox.Change{Insert: 1, Update: 1})
				step(time.Duration(round%4) * time.Minute)
				if err := f.sb.Commit(division); err != nil {
					t.Fatal(err)
				}
				step(time.Duration(1+round*7) * time.Minute)
			}
			step(24 * time.Hour)
			got := maps.Clone(b.rows)
			if b.variant.Table.Entity != 0 && b.variant.Kind == "sync" {
				gone.apply(b, got)
			} else {
				dropGone(got, truth(f, b.variant))
			}
			compare(t, name, got, truth(f, b.variant))
		})
	}
}

func (f *office) change(b *books, c sandbox.Change) {
	f.t.Helper()
	c.Division, c.Entity = division, b.stream.Name
	if err := f.sb.Change(c); err != nil {
		f.t.Fatal(err)
	}
}

// deletions are the tombstones, read like any stream.
type deletions struct{ books }

func newDeletions() *deletions {
	d := exactonline.Deletions()
	return &deletions{books{stream: d, variant: d.Variants[0], rows: map[string]map[string]string{}, version: map[string]int64{}}}
}

func (d *deletions) apply(b *books, rows map[string]map[string]string) {
	for key, tombstone := range d.rows {
		if tombstone["EntityType"] != fmt.Sprint(b.variant.Table.Entity) {
			continue
		}
		if id := tombstone["EntityKey"]; b.version[id] <= d.version[key] {
			delete(rows, id)
		}
	}
}

// dropGone is the sweep of a stream without tombstones.
func dropGone(rows, truth map[string]map[string]string) {
	maps.DeleteFunc(rows, func(key string, _ map[string]string) bool { _, there := truth[key]; return !there })
}

// Whatever goes wrong on the way, a read and the reads that resume it end where an undisturbed
// one would have.
func TestReadsSurviveEveryFault(t *testing.T) {
	const name, pages = "standard/financialtransaction/TransactionLines", 3
	f := open(t, sandbox.Options{Seed: 3, Scale: 0.1})
	calm := ledgerOf(t, name)
	if err := calm.load(f, f.source); err != nil {
		t.Fatal(err)
	}
	calls := f.sent
	if calls < pages {
		t.Fatalf("%d pages are too few", calls)
	}
	for _, kind := range []sandbox.FaultKind{
		sandbox.ServerError, sandbox.BadGateway, sandbox.Unavailable, sandbox.TimedOut, sandbox.MinuteLimit, sandbox.DayLimit,
		sandbox.BareLimit, sandbox.Forbidden, sandbox.BadRequest, sandbox.CutBefore, sandbox.Cut, sandbox.CutBody,
		sandbox.Truncated, sandbox.Empty, sandbox.Page, sandbox.ForeignNext, sandbox.Redirect,
	} {
		for nth := range pages {
			for _, times := range []int{1, 4} {
				f.pass(25 * time.Hour) // what the fault before has used up is there again
				f.sb.ClearFaults()
				f.sent = 0
				f.sb.Fault(sandbox.Fault{Path: "TransactionLines", Nth: nth + 1, Times: times, Kind: kind})
				b, what := ledgerOf(t, name), fmt.Sprintf("%s on page %d, %d times", kind, nth+1, times)
				if err := b.load(f, f.source); err != nil {
					t.Errorf("%s: %v", what, err)
					continue
				}
				compare(t, what, b.rows, calm.rows)
				if f.sent <= calls {
					t.Errorf("%s: %d calls, the fault was not met", what, f.sent)
				}
			}
		}
	}
}

// Alone, a run uses the minute to the full and is never told that it was too much.
func TestTheQuotaIsUsedAndNotOverdrawn(t *testing.T) {
	f := open(t, sandbox.Options{Seed: 3, Scale: 1, MinuteLimit: 10, DayLimit: 1000})
	refused, calls := 0, 0
	s, err := exactonline.New(exactonline.Config{
		BaseURL: root, Client: &http.Client{Transport: f}, Clock: f.Now, Wait: f.wait, Division: theDivision,
		Observe: func(a extract.Attempt) {
			calls++
			f.pass(100 * time.Millisecond)
			if a.Status == http.StatusTooManyRequests {
				refused++
			}
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	begin := f.Now()
	b := ledgerOf(t, "standard/financial/GLAccounts")
	for range 10 {
		b.cursor = ""
		if err := b.load(f, func() *exactonline.Source { return s }); err != nil {
			t.Fatal(err)
		}
	}
	took := f.Now().Sub(begin)
	if floor := time.Duration(calls/10) * time.Minute; refused > 0 || took > floor+2*time.Second {
		t.Errorf("%d calls took %v, floor %v; %d refused", calls, took, floor, refused)
	}
	if left := s.Caller().Left(theDivision); !left.DayKnown || left.Day != 1000-calls {
		t.Errorf("left %+v after %d calls", left, calls)
	}
}

func TestPlacesOfTheSandbox(t *testing.T) {
	f := open(t, sandbox.Options{Seed: 3, Divisions: 3})
	s, err := exactonline.New(exactonline.Config{BaseURL: root, Client: &http.Client{Transport: f}, Clock: f.Now, Wait: f.wait})
	if err != nil {
		t.Fatal(err)
	}
	before, err := s.Places(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var codes []int
	for _, p := range before {
		var code int
		if _, err := fmt.Sscan(p.Code, &code); err != nil || !p.Active {
			t.Errorf("%+v: %v", p, err)
		}
		codes = append(codes, code)
	}
	if !slices.Equal(codes, f.sb.Divisions()) {
		t.Errorf("places %v, want %v", codes, f.sb.Divisions())
	}
	if err := f.sb.MoveDivision(codes[1]); err != nil {
		t.Fatal(err)
	}
	after, err := s.Places(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for i := range after {
		if changed := after[i].Epoch != before[i].Epoch; changed != (i == 1) {
			t.Errorf("%s: epoch %q, was %q", after[i].Code, after[i].Epoch, before[i].Epoch)
		}
	}
}

// A property that Exact adds is found; one that it takes away is left out.
func TestDriftOfTheSandbox(t *testing.T) {
	f := open(t, sandbox.Options{Seed: 3, Scale: 0.1})
	s := f.source()
	b := ledgerOf(t, "sync/crm/Accounts")
	if found, err := s.Discover(t.Context(), theDivision, b.variant); err != nil || len(found) != 0 {
		t.Errorf("found %v, %v", found, err)
	}
	if err := f.sb.AddProperty("sync/CRM/Accounts", "Brandnew", "Edm.String", "x"); err != nil {
		t.Fatal(err)
	}
	if found, err := s.Discover(t.Context(), theDivision, b.variant); err != nil || !slices.Equal(found, []string{"Brandnew"}) {
		t.Errorf("found %v, %v", found, err)
	}
	if err := f.sb.DropProperty("sync/CRM/Accounts", "Website"); err != nil {
		t.Fatal(err)
	}
	if err := b.load(f, func() *exactonline.Source { return s }); err != nil {
		t.Error(err)
	}
	for _, r := range b.rows {
		if r["Website"] != "NULL" {
			t.Fatalf("website %q", r["Website"])
		}
	}
}
