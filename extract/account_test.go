package extract

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"exactduck/schema"
)

func postponed(err error) bool {
	_, quota := errors.AsType[*QuotaError](err)
	_, spent := errors.AsType[*Spent](err)
	return quota || spent
}

// A process that starts knows what others have used of the day, and makes no call that they have
// left no room for.
func TestTheDayIsSharedWithTheProcessesBefore(t *testing.T) {
	dir := t.TempDir()
	bubble(t, func(t *testing.T) {
		v := &vendor{perMinute: 60, perDay: 5}
		for range 3 {
			if _, err := get(t, v.process(t, dir, nil)); err != nil {
				t.Fatal(err)
			}
		}
		c := v.process(t, dir, nil)
		if left := c.Left("123"); !left.DayKnown || left.Day != 2 || left.Ours != 3 || left.DayLimit != 5 {
			t.Errorf("before its first call a process knows %+v", left)
		}
		for range 2 {
			if _, err := get(t, c); err != nil {
				t.Fatal(err)
			}
		}
		_, err := get(t, v.process(t, dir, nil))
		quota, ok := errors.AsType[*QuotaError](err)
		if !ok || len(v.requests) != 5 {
			t.Fatalf("got %v after %d requests", err, len(v.requests))
		}
		pass(time.Until(quota.Reset))
		if _, err := get(t, v.process(t, dir, nil)); err != nil {
			t.Errorf("on the next day: %v", err)
		}
	})
}

func TestReserveStaysForOthers(t *testing.T) {
	for name, tc := range map[string]struct {
		reserve Reserve
		want    int
	}{
		"none": {Reserve{}, 50}, "a share": {Reserve{Percent: 20}, 40}, "a number": {Reserve{Calls: 7}, 43},
		"rounded up": {Reserve{Percent: 1}, 49}, "the larger": {Reserve{Percent: 20, Calls: 12}, 38},
		"all": {Reserve{Calls: 5000}, 1}, // until the vendor has told, nobody knows
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				v := &vendor{perMinute: 60, perDay: 50}
				c := v.caller(t, func(o *Options) { o.Reserve = tc.reserve })
				var err error
				for err == nil {
					_, err = get(t, c)
				}
				quota, ok := errors.AsType[*QuotaError](err)
				if !ok || len(v.requests) != max(tc.want, 0) || quota.Kept != 50-len(v.requests) {
					t.Errorf("%d calls, then %v; want %d", len(v.requests), err, tc.want)
				}
				if left := c.Left("123"); left.Day-left.Kept != 0 {
					t.Errorf("left %+v", left)
				}
			})
		})
	}
}

// MaxCalls counts what goes out, repeated requests too, whoever asks for them.
func TestMaxCalls(t *testing.T) {
	bubble(t, func(t *testing.T) {
		v := &vendor{script: func(n int, _ *http.Request) (*http.Response, error) {
			if n == 2 {
				return reply(500, nil, ""), nil
			}
			return nil, nil
		}}
		c := v.caller(t, func(o *Options) { o.MaxCalls = 4 })
		var err error
		gets := 0
		for ; err == nil; gets++ {
			_, err = get(t, c)
		}
		spent, ok := errors.AsType[*Spent](err)
		if !ok || spent.Max != 4 || len(v.requests) != 4 || gets != 4 {
			t.Errorf("%d requests in %d gets, then %v", len(v.requests), gets, err)
		}
		none := v.caller(t, func(o *Options) { o.MaxCalls = -1 })
		if _, err := get(t, none); !postponed(err) || len(v.requests) != 4 {
			t.Errorf("without any: %v", err)
		}
	})
}

// A clock that was wrong by hours, or is, keeps nobody from calling for hours.
func TestWrongClocks(t *testing.T) {
	for name, tc := range map[string]struct{ first, then time.Duration }{
		"was ahead":   {5 * time.Hour, 0},
		"was behind":  {-5 * time.Hour, 0},
		"is ahead":    {0, 5 * time.Hour},
		"is behind":   {0, -5 * time.Hour},
		"both ahead":  {30 * time.Hour, 30 * time.Hour},
		"both behind": {-30 * time.Hour, -30 * time.Hour},
		"far back":    {0, -400 * 24 * time.Hour},
		"far ahead":   {0, 400 * 24 * time.Hour},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			bubble(t, func(t *testing.T) {
				pass(8 * time.Hour)
				v := &vendor{perMinute: 20, perDay: 5000}
				ahead := tc.first
				clock := func(o *Options) { o.Clock = func() time.Time { return time.Now().Add(ahead) } }
				press(t, []*Caller{v.process(t, dir, clock)}, 2, 20) // the minute is used up
				ahead = tc.then
				begin := time.Now()
				press(t, []*Caller{v.process(t, dir, clock)}, 2, 20)
				if took := time.Since(begin); took > 3*time.Minute {
					t.Errorf("20 calls took %v", took)
				}
				if v.throttled > 2 {
					t.Errorf("%d calls were too many", v.throttled)
				}
			})
		})
	}
}

// The day was used up by the notes of a process whose clock was wrong; midnight has passed since.
func TestWrongClocksAndAUsedUpDay(t *testing.T) {
	dir := t.TempDir()
	bubble(t, func(t *testing.T) {
		pass(20 * time.Hour)
		v := &vendor{perMinute: 60, perDay: 5}
		ahead := 6 * time.Hour
		clock := func(o *Options) { o.Clock = func() time.Time { return time.Now().Add(ahead) } }
		c := v.process(t, dir, clock)
		for range 5 {
			if _, err := get(t, c); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := get(t, c); !postponed(err) {
			t.Fatal(err)
		}
		ahead = 0
		pass(5 * time.Hour) // it is one o'clock
		if _, err := get(t, v.process(t, dir, clock)); err != nil {
			t.Errorf("after midnight: %v", err)
		}
	})
}

// calls is how many requests were sent to an address that ends so.
func (v *vendor) calls(end string) (n int) {
	v.mu.Lock()
	defer v.mu.Unlock()
	for _, r := range v.requests {
		if strings.HasSuffix(r.URL.Path, end) {
			n++
		}
	}
	return n
}

// forbidding refuses one endpoint of division 123.
func forbidding(reason string) *vendor {
	return &vendor{script: func(_ int, r *http.Request) (*http.Response, error) {
		if strings.HasSuffix(r.URL.Path, "/123/hrm/Costcenters") {
			return reply(403, http.Header{"Reason": {reason + ": no"}}, `{"error":{"code":"","message":{"lang":"","value":"Forbidden"}}}`), nil
		}
		return nil, nil
	}}
}

func ask(t *testing.T, c *Caller, scope schema.Scope, endpoint string) error {
	t.Helper()
	_, err := c.Get(t.Context(), scope, endpoint, base+"/api/v1/"+string(scope)+"/"+endpoint)
	return err
}

func TestA403IsRememberedForAWeek(t *testing.T) {
	const costs = "hrm/Costcenters"
	for name, tc := range map[string]struct {
		then func(c *Caller) // between the refusal and the next question
		opts func(*Options)
		asks bool
	}{
		"at once":            {},
		"after six days":     {then: func(*Caller) { pass(6 * 24 * time.Hour) }},
		"after seven days":   {then: func(*Caller) { pass(7 * 24 * time.Hour) }, asks: true},
		"after a login":      {then: func(*Caller) { pass(time.Minute) }, opts: func(o *Options) { o.LoggedIn = time.Now() }, asks: true},
		"after another":      {opts: func(o *Options) { o.LoggedIn = time.Now().Add(-time.Hour) }},
		"for a doctor":       {opts: func(o *Options) { o.AskAgain = true }, asks: true},
		"when forgotten":     {then: func(c *Caller) { c.Forget(context.Background(), "123", costs) }, asks: true},
		"when all forgotten": {then: func(c *Caller) { c.Forget(context.Background(), "123", "") }, asks: true},
		"another forgotten":  {then: func(c *Caller) { c.Forget(context.Background(), "123", "crm/Accounts") }},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			bubble(t, func(t *testing.T) {
				v := forbidding("")
				c := v.process(t, dir, nil)
				said := ask(t, c, "123", costs)
				if tc.then != nil {
					tc.then(c)
				}
				err := ask(t, v.process(t, dir, tc.opts), "123", costs)
				refused, ok := errors.AsType[*Refused](err)
				if !ok || refused.Status != 403 || refused.Message != "Forbidden" {
					t.Fatalf("got %v after %v", err, said)
				}
				if asked := v.calls(costs) == 2; asked != tc.asks || refused.Remembered.IsZero() != tc.asks {
					t.Errorf("%d calls, then %v", v.calls(costs), err)
				}
				for _, other := range []struct {
					scope    schema.Scope
					endpoint string
				}{{"456", costs}, {"123", "crm/Accounts"}} {
					if err := ask(t, c, other.scope, other.endpoint); err != nil {
						t.Errorf("%v: %v", other, err)
					}
				}
			})
		})
	}
}

// The vendor dates its answers to the second. What is learnt of its clock later does not put a login
// behind a refusal that came after it.
func TestA403CameAfterTheLogin(t *testing.T) {
	dir := t.TempDir()
	bubble(t, func(t *testing.T) {
		v := forbidding("")
		pass(700 * time.Millisecond)
		login := time.Now().Add(-10 * time.Millisecond)
		o := func(o *Options) { o.LoggedIn = login }
		_ = ask(t, v.process(t, dir, o), "123", "hrm/Costcenters")
		pass(310 * time.Millisecond)
		c := v.process(t, dir, o)
		if err := ask(t, c, "123", "crm/Accounts"); err != nil {
			t.Fatal(err)
		}
		if _ = ask(t, c, "123", "hrm/Costcenters"); v.calls("hrm/Costcenters") != 1 {
			t.Errorf("asked %d times", v.calls("hrm/Costcenters"))
		}
	})
}

// An endpoint that answers again is forbidden no more.
func TestAnAnswerLiftsA403(t *testing.T) {
	dir := t.TempDir()
	bubble(t, func(t *testing.T) {
		v := forbidding("")
		_ = ask(t, v.process(t, dir, nil), "123", "hrm/Costcenters")
		v.script = nil
		doctor := v.process(t, dir, func(o *Options) { o.AskAgain = true })
		if err := ask(t, doctor, "123", "hrm/Costcenters"); err != nil {
			t.Fatal(err)
		}
		if err := ask(t, v.process(t, dir, nil), "123", "hrm/Costcenters"); err != nil {
			t.Error(err)
		}
	})
}

// A 403 about the whole division costs a run one call, and the next run asks again.
func TestA403OfAScopeEndsItForThisCaller(t *testing.T) {
	dir := t.TempDir()
	bubble(t, func(t *testing.T) {
		v := forbidding("DivisionBlocked")
		far := func(o *Options) {
			o.Reach = func(r *Refused) Reach {
				if r.Reason == "DivisionBlocked" {
					return ForScope
				}
				return ForOnce
			}
		}
		c := v.process(t, dir, far)
		for _, endpoint := range []string{"hrm/Costcenters", "crm/Accounts", "hrm/Costcenters"} {
			refused, ok := errors.AsType[*Refused](ask(t, c, "123", endpoint))
			if !ok || refused.Reason != "DivisionBlocked" || refused.Endpoint != endpoint {
				t.Errorf("%s: %v", endpoint, refused)
			}
		}
		if len(v.requests) != 1 {
			t.Errorf("%d calls", len(v.requests))
		}
		if err := ask(t, c, "456", "crm/Accounts"); err != nil {
			t.Error(err)
		}
		if err := ask(t, v.process(t, dir, far), "123", "crm/Accounts"); err != nil {
			t.Errorf("the next run: %v", err)
		}
	})
}

// An answer that is lost leaves nobody waiting longer than the attempt could have taken.
func TestCallsOfDeadProcessesAreGivenUp(t *testing.T) {
	dir := t.TempDir()
	bubble(t, func(t *testing.T) {
		v := &vendor{}
		dead := v.process(t, dir, nil)
		for range breakerRefusals {
			if permit, v, _ := dead.limiter.book(t.Context(), address{"123", "crm/Accounts"}); permit == nil {
				t.Fatalf("not booked: %+v", v)
			}
			dead.limiter.scopes["123"].heard = true // not one by one
		}
		begin := time.Now()
		if _, err := get(t, v.process(t, dir, nil)); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(begin); took < 5*time.Minute || took > 5*time.Minute+time.Second {
			t.Errorf("waited %v for the answers of a dead process", took)
		}
		if err := ask(t, v.process(t, dir, nil), "123", "hrm/Costcenters"); err != nil {
			t.Error(err)
		}
	})
}

func TestParkedIsSaidOnce(t *testing.T) {
	dir := t.TempDir()
	bubble(t, func(t *testing.T) {
		v := &vendor{script: func(int, *http.Request) (*http.Response, error) { return reply(400, nil, ""), nil }}
		var said []string
		for range 10 {
			c := v.process(t, dir, func(o *Options) { o.Log = remembering(&said) })
			_, _ = get(t, c)
		}
		warned := slices.DeleteFunc(said, func(s string) bool { return !strings.HasPrefix(s, "WARN") })
		if len(warned) != 1 || !strings.Contains(warned[0], "leaving it alone") {
			t.Errorf("said %v", warned)
		}
		a, _, err := v.process(t, dir, nil).options.Ledger.Read("123")
		if parked := Parked(&a, "123"); err != nil || len(parked) != 1 || parked[0].Refusals != 5 {
			t.Errorf("parked %v, %v", parked, err)
		}
	})
}
