package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"exactduck/extract/sandbox"
)

// quota is what "status" says of the division's calls.
func (o *office) quota(division int) quotaStanding {
	o.t.Helper()
	var said struct {
		Data struct{ Quota []quotaStanding }
	}
	out, err := o.process("status", "--output", "json").Output()
	if err == nil {
		err = json.Unmarshal(out, &said)
	}
	if err != nil {
		o.t.Fatalf("status: %v", err)
	}
	for _, q := range said.Data.Quota {
		if q.Division == strconv.Itoa(division) {
			return q
		}
	}
	o.t.Fatalf("division %d is not in %+v", division, said.Data.Quota)
	return quotaStanding{}
}

// api is how many calls the simulated Exact has counted against quotas.
func (o *office) api() (n int) {
	for path, calls := range o.sandbox.Calls() {
		if strings.HasPrefix(path, "/api/v1/") {
			n += calls
		}
	}
	return n
}

// What status says of the calls is what the vendor counted, over several processes, and what was
// refused for good is not asked again by the next.
func TestStatusTellsTheCalls(t *testing.T) {
	t.Parallel()
	o := newOffice(t, "      - crm/Accounts\n      - general/Currencies", sandbox.Options{Divisions: 1, Scale: 0.1, DayLimit: 500})
	division := o.sandbox.Divisions()[0]
	if err := o.sandbox.Forbid("general/Currencies"); err != nil {
		t.Fatal(err)
	}
	o.run(exitPartial, "sync", "-q")
	first := o.quota(division)
	// Asking who is logged in is charged to the division that is open, and is none of others' calls.
	if first.Left == nil || *first.Left != 500-o.api() || first.Ours != o.api() || first.Others != 0 || first.Limit != 500 || first.UnderWay != 0 {
		t.Errorf("after a run: %+v", first)
	}
	if len(first.Forbidden) != 1 || !strings.HasSuffix(first.Forbidden[0].Endpoint, "general/Currencies") ||
		first.Forbidden[0].Until.Sub(first.Forbidden[0].Since) != 7*24*time.Hour {
		t.Errorf("forbidden: %+v", first.Forbidden)
	}
	if reset := first.Reset; !reset.Equal(reset.Truncate(24*time.Hour)) && reset.Sub(reset.Round(24*time.Hour)).Abs() > 2*time.Second {
		t.Errorf("the day ends at %v", reset)
	}
	before := o.calls("general/Currencies")
	c := o.process("sync", "-q")
	_ = c.Run() // how a refusal that is no news ends a run is not this test's
	if now := o.calls("general/Currencies"); now != before {
		t.Errorf("the forbidden endpoint was asked %d times more", now-before)
	}
	if second := o.quota(division); second.Ours <= first.Ours || *second.Left != 500-o.api() {
		t.Errorf("after two runs: %+v", second)
	}
	if err := o.sandbox.Allow("general/Currencies"); err != nil {
		t.Fatal(err)
	}
	o.login()
	o.run(0, "sync", "-q")
	if q := o.quota(division); len(q.Forbidden) > 0 {
		t.Errorf("after a login and an answer: %+v", q.Forbidden)
	}
	text, err := o.process("status").Output()
	if err != nil || !bytes.Contains(text, []byte(strconv.Itoa(division))) {
		t.Errorf("status in words: %v\n%s", err, text)
	}
}

// While a run is on, status tells what it does, and waits for nobody.
func TestStatusTellsTheCallsOfARunThatIsOn(t *testing.T) {
	t.Parallel()
	o := newOffice(t, slow, sandbox.Options{Divisions: 1, Scale: 0.5, DayLimit: 5000})
	asked := make(chan struct{})
	release := make(chan struct{})
	o.sandbox.Fault(sandbox.Fault{
		Path: "/financialtransaction/TransactionLines", Nth: 3, Then: func() { close(asked); <-release },
	})
	c := o.process("sync", "-q")
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	<-asked
	q := o.quota(o.sandbox.Divisions()[0])
	close(release)
	if err := c.Wait(); err != nil {
		t.Error(err)
	}
	if q.UnderWay == 0 || q.Ours < 3 {
		t.Errorf("while a run is on: %+v", q)
	}
}

// A run may be told how many calls it may make, and the next goes on.
func TestMaxCallsEndsARunAndTheNextGoesOn(t *testing.T) {
	t.Parallel()
	o := newOffice(t, slow, sandbox.Options{Divisions: 1, Scale: 0.5})
	for runs := 0; ; runs++ {
		before := o.api()
		c := o.process("sync", "-q", "--max-calls", "4")
		var said bytes.Buffer
		c.Stderr = &said
		code := codeOf(c.Run())
		if made := o.api() - before; made > 4 || made == 0 {
			t.Fatalf("a run that may make 4 calls made %d", made)
		}
		if code == 0 {
			break
		}
		if code != exitQuota || !strings.Contains(said.String(), "--max-calls") || runs > 40 {
			t.Fatalf("run %d ends with %d: %s", runs, code, said.String())
		}
	}
	o.equal()
	o.tidy()
	o.run(exitUsage, "sync", "--max-calls", "-1")
}

// A configuration keeps calls for other software.
func TestReserveOfTheConfiguration(t *testing.T) {
	t.Parallel()
	o := newOffice(t, slow, sandbox.Options{Divisions: 1, Scale: 0.5, DayLimit: 20})
	o.edit("    type: exact-online\n", "    type: exact-online\n    reserve: 50%\n")
	o.run(exitQuota, "sync", "-q")
	if q := o.quota(o.sandbox.Divisions()[0]); q.Left == nil || *q.Left != 10 || q.Kept != 10 {
		t.Errorf("left %+v", q)
	}
	before := o.calls("")
	o.run(exitQuota, "sync", "-q")
	if made := o.calls("") - before; made > 0 {
		t.Errorf("%d calls made of those that are kept", made)
	}
}

// A ledger that cannot be read stops nothing but its own line of status.
func TestDamagedLedgerStopsNothing(t *testing.T) {
	t.Parallel()
	o := newOffice(t, "      - crm/Accounts", sandbox.Options{Divisions: 1, Scale: 0.1})
	o.run(0, "sync", "-q")
	books, err := filepath.Glob(o.file("state/logins/*.calls/*.ledger"))
	if err != nil || len(books) == 0 {
		t.Fatalf("no ledger: %v", err)
	}
	for _, path := range books {
		damage(t, path)
	}
	o.run(0, "status")
	o.run(0, "sync", "-q")
	if q := o.quota(o.sandbox.Divisions()[0]); q.Ours == 0 {
		t.Errorf("begun anew: %+v", q)
	}
}

func damage(t *testing.T, path string) {
	t.Helper()
	if err := os.WriteFile(path, []byte("no calls at all"), 0o600); err != nil {
		t.Fatal(err)
	}
}

// edit changes the configuration.
func (o *office) edit(old, text string) {
	o.t.Helper()
	path := o.file("pipelines.yaml")
	was, err := os.ReadFile(path)
	if err != nil {
		o.t.Fatal(err)
	}
	if err := os.WriteFile(path, bytes.Replace(was, []byte(old), []byte(text), 1), 0o600); err != nil {
		o.t.Fatal(err)
	}
}

// Of very many divisions the table has those that run out first.
func TestManyDivisionsAreSummedUp(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	var all []quotaStanding
	for i := range 500 {
		left := (i*7 + 3) % 500
		q := quotaStanding{Connection: "books", Division: fmt.Sprintf("d%03d", left), Left: &left, Limit: 5000, Reset: now.Add(12 * time.Hour)}
		q.Forbidden = []barred{{Endpoint: "hrm/Costcenters", Since: now, Until: now.Add(7 * 24 * time.Hour)}}
		all = append(all, q)
	}
	all[0].Parked = []parkedEndpoint{{"crm/Accounts", 5, now.Add(20 * time.Minute)}}
	var out bytes.Buffer
	printQuotas(&out, all, now)
	for _, want := range []string{"d000", "d019", "480 more divisions", "crm/Accounts in d003: left alone for 20 min", "asked again in 7 days", "495 more"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is missing", want)
		}
	}
	if strings.Contains(out.String(), "d020 ") || strings.Count(out.String(), "\n") > 32 {
		t.Errorf("printed %s", out.String())
	}
}
