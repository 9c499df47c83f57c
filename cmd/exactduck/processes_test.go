package main

import (
	"bytes"
	"os/exec"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"exactduck/extract/sandbox"
)

const crowd = 20

// Of many processes that start at once one runs, and the others say what to do.
func TestOneOfManyProcessesRuns(t *testing.T) {
	t.Parallel()
	o := newOffice(t, "      - crm/Accounts", sandbox.Options{Divisions: 1, Scale: 0.1})
	refused := make(chan struct{})
	o.sandbox.Fault(sandbox.Fault{Path: "/api/v1/", Then: func() { <-refused }}) // the one waits for the others
	ended := make(chan *exec.Cmd, crowd)
	said := map[*exec.Cmd]*bytes.Buffer{}
	for range crowd {
		c := o.process("sync")
		said[c] = new(bytes.Buffer)
		c.Stderr = said[c]
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		go func() { _ = c.Wait(); ended <- c }()
	}
	for i := range crowd {
		c := <-ended
		text, want := said[c].String(), exitBusy
		if i == crowd-1 {
			want = 0
		} else if !strings.Contains(text, "--wait") {
			t.Errorf("there is no hint in %q", text)
		}
		if got := c.ProcessState.ExitCode(); got != want {
			t.Errorf("process %d to end ends with %d, want %d: %s", i+1, got, want, text)
		}
		if i == crowd-2 {
			close(refused)
		}
	}
	o.equal()
	o.tidy()
}

// With --wait all of them run, one after another, and the token that was due is refreshed once.
func TestManyProcessesTakeTurns(t *testing.T) {
	t.Parallel()
	o := newOffice(t, "      - crm/Accounts", sandbox.Options{Divisions: 1, Scale: 0.1})
	o.ahead.Store(int64(time.Hour))
	before := o.calls("/oauth2/token")
	var all sync.WaitGroup
	for range crowd {
		c := o.process("sync", "--wait")
		var said bytes.Buffer
		c.Stderr = &said
		all.Go(func() {
			if err := c.Run(); err != nil {
				t.Errorf("%v: %s", err, said.String())
			}
		})
	}
	all.Wait()
	if n := o.calls("/oauth2/token") - before; n != 1 {
		t.Errorf("%d processes refreshed %d times", crowd, n)
	}
	if n := o.calls("/sync/CRM/Accounts"); n != crowd+1 { // and one to discover
		t.Errorf("%d processes read %d pages", crowd, n-1)
	}
	o.equal()
	o.tidy()
}

// slow is a stream of many pages: its standard variant has sixty rows a page.
const slow = `      - crm/Accounts
      - standard/financial/TransactionLines`

// Ctrl-C in the middle of a long read ends a run at once; the next goes on at the page.
func TestInterruptedRunGoesOn(t *testing.T) {
	t.Parallel()
	o := newOffice(t, slow, sandbox.Options{Divisions: 1, Scale: 0.5})
	asked := make(chan struct{})
	o.sandbox.Fault(sandbox.Fault{
		Path: "/financialtransaction/TransactionLines", Nth: 5, Delay: time.Minute, Then: func() { close(asked) },
	})
	c := o.process("sync")
	var said bytes.Buffer
	c.Stderr = &said
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- c.Wait() }()
	select {
	case <-asked:
	case err := <-ended:
		t.Fatalf("the run ends before its fourth page: %v: %s", err, said.String())
	}
	at := time.Now()
	if err := c.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	if code := codeOf(<-ended); code != exitInterrupted || !strings.Contains(said.String(), "nothing is lost") {
		t.Errorf("an interrupted run ends with %d and says %q", code, said.String())
	}
	if took := time.Since(at); took > time.Second {
		t.Errorf("it took %v to end", took)
	}
	o.sandbox.ClearFaults()
	o.run(0, "sync", "-q")
	o.readOnce(1)
	o.equal()
	o.tidy()
}

// readOnce fails the test unless every page of the slow stream was asked for once, two calls more
// discovered its properties and read what had changed since the read was begun by an earlier run,
// and more calls were in vain.
func (o *office) readOnce(more int) {
	o.t.Helper()
	pages := (len(o.sandbox.Records(0, "financialtransaction/TransactionLines")) + 59) / 60
	if got, want := o.calls("/financialtransaction/TransactionLines"), pages+2+more; pages < 10 || got != want {
		o.t.Errorf("%d calls for %d pages, want %d", got, pages, want)
	}
}

// When the calls of the day are used up in the middle, what is complete is published, and the next
// days go on at the page.
func TestUsedUpDaysGoOnTheNextDay(t *testing.T) {
	t.Parallel()
	o := newOffice(t, slow, sandbox.Options{Divisions: 1, Scale: 0.5, DayLimit: 8})
	midnight := o.now().Truncate(24 * time.Hour)
	for days := 1; ; days++ {
		o.later(midnight.Add(time.Duration(days)*24*time.Hour + time.Hour).Sub(o.now()))
		c := o.process("sync")
		var said bytes.Buffer
		c.Stderr = &said
		code := codeOf(c.Run())
		if code == 0 {
			if days < 3 {
				t.Errorf("everything was read within %d days", days)
			}
			break
		}
		if code != exitQuota || !strings.Contains(said.String(), "goes on where it stopped") {
			t.Fatalf("day %d ends with %d: %s", days, code, said.String())
		}
		if n := o.ask(`SELECT count(*) FROM crm.Accounts`); n == "0" {
			t.Error("what was complete on the first day is not published")
		}
	}
	o.readOnce(0)
	o.equal()
	o.tidy()
}

// revocable are a stream that is swept and two that are read whole.
const revocable = `      - cashflow/Payments
      - read/financial/ReceivablesList
      - crm/Accounts`

// Rights that are taken away look like empty tables. No row goes before somebody says that it is
// true, in the words of the hint.
func TestRevokedRightsTakeNoRows(t *testing.T) {
	t.Parallel()
	o := newOffice(t, revocable, sandbox.Options{Divisions: 1, Scale: 0.1})
	o.synced()
	held := o.rows()
	if err := o.sandbox.Revoke(0, ""); err != nil {
		t.Fatal(err)
	}
	o.later(8 * 24 * time.Hour) // sweeps are due
	o.run(exitPartial, "sync")
	said := o.run(exitPartial, "sync", "--full-refresh")
	if now := o.rows(); now != held {
		t.Errorf("rows went: %s, before %s", now, held)
	}
	hints := regexp.MustCompile(`"exactduck (sync --accept-shrink \S+)"`).FindAllStringSubmatch(said, -1)
	if len(hints) == 0 {
		t.Fatalf("nothing says what to do: %s", said)
	}
	for range 5 { // each run names what is refused; at last nothing is
		hint := regexp.MustCompile(`"exactduck (sync --accept-shrink \S+)"`).FindStringSubmatch(said)
		if hint == nil {
			break
		}
		c := o.process(append(strings.Fields(hint[1]), "--full-refresh")...)
		var err bytes.Buffer
		c.Stderr = &err
		if code := codeOf(c.Run()); code != 0 && code != exitPartial {
			t.Fatalf("%s ends with %d: %s", hint[1], code, err.String())
		}
		said = err.String()
	}
	if err := o.sandbox.Restore(0, ""); err != nil {
		t.Fatal(err)
	}
	o.later(8 * 24 * time.Hour)
	o.run(0, "sync", "-q") // its sweep finds rows that no date of modification tells of
	o.run(0, "sync", "-q")
	o.equal()
	o.tidy()
}

// rows are the numbers of rows in the published tables.
func (o *office) rows() string {
	o.t.Helper()
	var all []string
	for _, table := range o.tables() {
		all = append(all, table+" "+o.ask("SELECT count(*) FROM "+table))
	}
	return strings.Join(all, ", ")
}
