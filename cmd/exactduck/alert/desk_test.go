package alert

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"
)

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Error(err)
	}
}

func TestOncePerCauseAndRecovery(t *testing.T) {
	o := newOffice(t)
	f := failing()
	for range 5 {
		check(t, o.tell(f))
		o.later(time.Hour)
		f.Message, f.Count = "the source cannot be reached, again", 7
		o.open(o.receiver()) // another process
	}
	o.told("problem failure 5")
	other := failing()
	other.Subject = "10"
	check(t, o.tell(other)) // takes the place of the first
	o.told("problem failure 10")
	check(t, o.tell())
	o.told("recovered failure 10")
	check(t, o.tell())
	o.told()
	check(t, o.tell(f))
	o.told("problem failure 5")
}

func TestWhatLastsIsToldAgain(t *testing.T) {
	o := newOffice(t)
	check(t, o.tell(failing()))
	first := o.got[0]
	o.later(23 * time.Hour)
	check(t, o.tell(failing()))
	o.told("problem failure 5")
	o.later(time.Hour)
	check(t, o.tell(failing()))
	if again := o.got[0]; again.ID == first.ID || again.Times != 1 || !strings.Contains(again.Text, "still, since 2026-11-21 04:00") {
		t.Errorf("told again as %+v after %+v", again, first)
	}
	never := o.receiver()
	never.Repeat = 0
	o.open(never)
	o.got = nil
	o.later(999 * time.Hour)
	check(t, o.tell(failing()))
	o.told()
}

func TestNewsIsToldOnce(t *testing.T) {
	o := newOffice(t)
	n := Condition{Kind: Drift, Pipeline: "nightly", Subject: "run-1", Message: "a new property", News: true, Since: o.now}
	old := n
	old.Subject, old.Since = "run-0", o.now.Add(-48*time.Hour)
	check(t, o.tell(n, old))
	o.told("problem drift run-1")
	for range 10 {
		o.later(7 * 24 * time.Hour)
		check(t, o.tell())
	}
	o.told()
	text, err := os.ReadFile(filepath.Join(o.dir, "office.json"))
	if err != nil || strings.Contains(string(text), `"subject"`) {
		t.Errorf("news is remembered for good: %v\n%s", err, text)
	}
}

func TestOnlyWhatIsSettledIsOver(t *testing.T) {
	o := newOffice(t)
	check(t, o.tell(failing()))
	o.told("problem failure 5")
	o.later(time.Minute)
	check(t, o.desk.Tell(t.Context(), Report{At: o.now, Settled: []Area{{Kind: Failure, Pipeline: "weekly"}, {Kind: Stale, Pipeline: "nightly"}}}))
	o.told()
	late := Report{At: o.now.Add(-2 * time.Minute), Settled: nightly}
	check(t, o.desk.Tell(t.Context(), late)) // it looked before the failure was reported
	o.told()
	check(t, o.tell())
	o.told("recovered failure 5")
	late = Report{At: o.now.Add(-2 * time.Minute), Settled: nightly, Conditions: []Condition{failing()}}
	check(t, o.desk.Tell(t.Context(), late))
	o.told()
	run := Area{Kind: Failure, Pipeline: "nightly", At: o.now.Add(-time.Hour)}
	late = Report{At: o.now.Add(time.Hour), Settled: []Area{run}, Conditions: []Condition{failing()}}
	check(t, o.desk.Tell(t.Context(), late)) // it looked later, at what was so before
	o.told()
	o.later(-100 * time.Hour) // the clock was wrong before
	check(t, o.tell(failing()))
	o.told("problem failure 5")
}

func TestReceiversAreToldOfWhatTheyWant(t *testing.T) {
	o := newOffice(t)
	r := o.receiver()
	r.On, r.Pipelines = []Kind{Stale, Login}, []string{"nightly"}
	o.open(r)
	stale := Condition{Kind: Stale, Pipeline: "nightly", Message: "old"}
	elsewhere := Condition{Kind: Stale, Pipeline: "weekly", Message: "old"}
	login := Condition{Kind: Login, Subject: "books", Message: "log in"}
	check(t, o.tell(failing(), elsewhere, stale, login))
	o.mu.Lock()
	count := len(o.got)
	o.got = nil
	o.mu.Unlock()
	if count != 2 {
		t.Errorf("%d messages, want 2", count)
	}
	r.On = []Kind{Login}
	o.open(r)
	check(t, o.tell(login)) // stale is over, and it does not want to know any more
	o.told()
}

func TestManyAreOneMessage(t *testing.T) {
	o := newOffice(t)
	var all []Condition
	for i := range 30 {
		all = append(all, Condition{Kind: Partial, Pipeline: "nightly", Subject: fmt.Sprint(i), Message: fmt.Sprintf("number %d", i), Count: 500})
	}
	check(t, o.tell(all...))
	m := o.got[0]
	if len(o.got) != 1 || m.Kind != Several || m.Count != 30 || len(m.Alerts) != 30 || m.Alerts[3].ID == "" || m.Alerts[3].From != "books" ||
		strings.Count(m.Text, "\n") != listed+1 || !strings.Contains(m.Text, "and 10 more") {
		t.Errorf("told %+v", m)
	}
	o.told("problem several ")
	check(t, o.tell(all[:1]...))
	o.told("recovered several ")
	check(t, o.tell())
	o.told("recovered partial 0")
}

// A receiver that is down is left alone for longer and longer, and is told in the end what it has
// missed, by whichever process.
func TestReceiverThatIsDown(t *testing.T) {
	o := newOffice(t)
	o.do(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) })
	for range 24 * 6 { // of a day
		err := o.tell(failing())
		if u, ok := errors.AsType[*Undelivered](err); !ok || u.Problem != "it answered 503" || u.Next.IsZero() || u.Owed != 1 {
			t.Fatalf("got %v", err)
		}
		o.later(10 * time.Minute)
		o.open(o.receiver())
	}
	if n := o.asked(); n < 24 || n > 35 {
		t.Errorf("it was tried %d times in a day", n)
	}
	o.do(nil)
	o.later(time.Hour)
	check(t, o.tell(failing()))
	o.told("problem failure 5")

	o.do(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", "1800")
		w.WriteHeader(http.StatusTooManyRequests)
	})
	if u, ok := errors.AsType[*Undelivered](o.tell()); !ok || u.Next.Sub(o.now) != 30*time.Minute {
		t.Errorf("it asked for half an hour: %+v", u)
	}
	o.do(nil)
	o.later(time.Hour)
	check(t, o.tell(failing())) // it is back before it could be told that it was gone
	o.told()
}

// What has come and gone while nobody could be told is told as one message.
func TestComeAndGoneUnseen(t *testing.T) {
	o := newOffice(t)
	o.do(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) })
	_ = o.tell(failing())
	o.later(time.Minute)
	_ = o.tell()
	o.do(nil)
	o.later(time.Hour)
	check(t, o.tell())
	if m := o.got[0]; m.Since.IsZero() || m.Over.Sub(m.Since) != time.Minute {
		t.Errorf("told %+v", m)
	}
	o.told("recovered failure 5")
}

// One receiver that hangs holds no other.
func TestReceiversDoNotHoldEachOther(t *testing.T) {
	o, hanging := newOffice(t), newOffice(t)
	free := make(chan struct{})
	hanging.do(func(http.ResponseWriter, *http.Request) { <-free })
	t.Cleanup(func() { close(free) })
	slow := hanging.receiver()
	slow.Name, o.hurry = "hanging", time.Second
	o.open(slow, o.receiver())
	done := make(chan error)
	go func() { done <- o.tell(failing()) }()
	for {
		o.mu.Lock()
		count := len(o.got)
		o.mu.Unlock()
		if count == 1 {
			break
		}
		runtime.Gosched()
	}
	u, ok := errors.AsType[*Undelivered](<-done)
	if !ok || u.Receiver != "hanging" || u.Problem != "it did not answer within 1s" {
		t.Errorf("got %+v", u)
	}
}

func TestTriesWithinOneCall(t *testing.T) {
	o := newOffice(t)
	options := o.options(o.receiver())
	options.Tries = 3
	o.desk = Open(options)
	o.do(func(w http.ResponseWriter, _ *http.Request) {
		if o.asked() < 3 {
			w.WriteHeader(http.StatusBadGateway)
		}
	})
	began := o.now
	check(t, o.tell(failing()))
	if o.asked() != 3 || o.now.Sub(began) != 3*time.Second {
		t.Errorf("asked %d times in %v", o.asked(), o.now.Sub(began))
	}
	o.do(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNotFound) })
	if err := o.tell(); err == nil || o.asked() != 4 {
		t.Errorf("an address that is wrong is tried %d times: %v", o.asked()-3, err)
	}
}

func TestPings(t *testing.T) {
	o := newOffice(t)
	o.open(Receiver{Name: "dead-man", Ping: o.URL + "/" + secret, Pipelines: []string{"nightly"}})
	success := func(run string) Report {
		return Report{At: o.now, Conditions: []Condition{failing()}, Successes: []Success{{"nightly", run, o.now}, {"weekly", run, o.now}}}
	}
	for range 3 {
		check(t, o.desk.Tell(t.Context(), success("20261121T040000")))
	}
	if o.asked() != 1 {
		t.Errorf("pinged %d times for one run", o.asked())
	}
	o.do(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet {
			t.Errorf("pinged by %s", r.Method)
		}
		w.WriteHeader(http.StatusInternalServerError)
	})
	next := success("20261122T040000")
	if _, ok := errors.AsType[*Undelivered](o.desk.Tell(t.Context(), next)); !ok {
		t.Error("a ping that fails is no news")
	}
	o.do(nil)
	o.later(time.Hour)
	check(t, o.desk.Tell(t.Context(), next)) // it is made up for
	if o.asked() != 3 {
		t.Errorf("asked %d times", o.asked())
	}
	old := success("20261123T040000")
	o.later(7 * time.Hour)
	check(t, o.desk.Tell(t.Context(), old))
	if o.asked() != 3 {
		t.Error("a success of long ago is pinged for")
	}
}

// Many processes see the same, and the receiver hears it once.
func TestManyProcessesTellOnce(t *testing.T) {
	o := newOffice(t)
	var all sync.WaitGroup
	for range 4 {
		c := processOf(t, o.dir, o.URL+"/"+secret)
		all.Go(func() {
			if out, err := c.CombinedOutput(); err != nil {
				t.Errorf("%v: %s", err, out)
			}
		})
	}
	all.Wait()
	o.told("problem failure 5")
}

// On a disk that is full, or may not be written to, somebody is told all the same, once.
func TestDiskThatTakesNothing(t *testing.T) {
	o := newOffice(t)
	check(t, os.WriteFile(o.dir, nil, 0o600)) // a file where the folder should be
	for range 5 {
		check(t, o.tell(failing()))
		o.later(time.Minute)
	}
	o.told("problem failure 5")
	check(t, os.Remove(o.dir))
	check(t, o.tell(failing()))
	o.open(o.receiver())
	check(t, o.tell(failing()))
	o.told()
	check(t, os.WriteFile(filepath.Join(o.dir, "office.json"), []byte("{torn"), 0o600))
	check(t, o.tell(failing())) // set aside, and told again rather than not at all
	o.told("problem failure 5")
}

func TestForgetAndLook(t *testing.T) {
	o := newOffice(t)
	stale := Condition{Kind: Stale, Pipeline: "nightly", Message: "crm/Accounts of Bakery Ltd is old"}
	check(t, o.tell(failing(), stale))
	check(t, Forget(t.Context(), o.dir, "Bakery Ltd"))
	text, err := os.ReadFile(filepath.Join(o.dir, "office.json"))
	if err != nil || strings.Contains(string(text), "Bakery") || !strings.Contains(string(text), "cannot be reached") {
		t.Errorf("%v: %s", err, text)
	}
	told, err := o.desk.Look()
	if err != nil || len(told) != 1 || len(told[0].Sent) != 2 || told[0].Owed != 0 {
		t.Fatalf("looked and saw %+v, %v", told, err)
	}
	if at, ok := told[0].Of(stale); !ok || !at.Equal(o.now) {
		t.Errorf("told at %v, %v", at, ok)
	}
	if _, ok := told[0].Of(Condition{Kind: Check}); ok {
		t.Error("told of what nobody spoke of")
	}
	o.got = nil
	check(t, o.tell(failing(), stale))
	o.told()
}

// A service that looks every minute leaves the disk in peace as long as there is nothing new.
func TestLookingWritesSeldom(t *testing.T) {
	o := newOffice(t)
	check(t, o.tell(failing()))
	written := func() os.FileInfo {
		about, err := os.Stat(filepath.Join(o.dir, "office.json"))
		check(t, err)
		return about
	}
	last, times := written(), 0
	for range 60 {
		o.later(time.Minute)
		check(t, o.tell(failing()))
		if now := written(); !now.ModTime().Equal(last.ModTime()) {
			last, times = now, times+1
		}
	}
	if times < 5 || times > 6 {
		t.Errorf("written %d times within an hour in which nothing happened", times)
	}
	check(t, o.tell())
	if written().ModTime().Equal(last.ModTime()) {
		t.Error("what is over is not written")
	}
}
