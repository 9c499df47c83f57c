package extract

import (
	"errors"
	"net/http"
	"sync"
	"testing"
	"time"
)

// A run that is alone uses every minute to the full, and never hears "too many".
func TestLimiterUsesEveryMinuteToTheFull(t *testing.T) {
	for name, v := range map[string]*vendor{
		"same clock":       {perMinute: 60},
		"vendor ahead":     {perMinute: 60, ahead: 95*time.Second + 370*time.Millisecond},
		"vendor behind":    {perMinute: 60, ahead: -47*time.Second - 890*time.Millisecond},
		"more than usual":  {perMinute: 300},
		"less than usual":  {perMinute: 20},
		"slow answers":     {perMinute: 60, latency: 700 * time.Millisecond},
		"no headers":       {perMinute: 60, mute: true},
		"a limit of a day": {perMinute: 60, perDay: 100000},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				pass(17*time.Second + 123*time.Millisecond) // begin inside a minute
				if v.latency == 0 {
					v.latency = 90 * time.Millisecond
				}
				c, calls := v.caller(t, nil), 5*v.perMinute
				var all sync.WaitGroup
				for range 4 {
					all.Go(func() {
						for range calls / 4 {
							if _, err := get(t, c); err != nil {
								t.Error(err)
							}
						}
					})
				}
				all.Wait()
				checkMinutes(t, v)
			})
		})
	}
}

// checkMinutes wants every minute used but the first and the last.
func checkMinutes(t *testing.T, v *vendor) {
	t.Helper()
	if v.throttled > 0 {
		t.Errorf("%d calls were too many", v.throttled)
	}
	first, last := v.at[0].Add(v.ahead).Truncate(time.Minute), v.at[len(v.at)-1].Add(v.ahead).Truncate(time.Minute)
	for minute, n := range v.minutes {
		if minute.Equal(first) || minute.Equal(last) {
			continue
		}
		if n < v.perMinute-v.perMinute/30 {
			t.Errorf("%s: %d of %d calls used", minute.Format(time.TimeOnly), n, v.perMinute)
		}
	}
	if len(v.minutes) > 7 {
		t.Errorf("took %d minutes", len(v.minutes))
	}
}

// Another process has used the minute: one call finds out, the others wait for it.
func TestLimiterProbesBeforeItTrustsItsAssumption(t *testing.T) {
	bubble(t, func(t *testing.T) {
		v := &vendor{perMinute: 60, latency: time.Second}
		v.open()
		v.minutes[time.Now().UTC().Truncate(time.Minute)] = 60
		c := v.caller(t, nil)
		var all sync.WaitGroup
		for range 8 {
			all.Go(func() {
				if _, err := get(t, c); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		if v.throttled != 1 {
			t.Errorf("%d calls were too many, want the first alone", v.throttled)
		}
	})
}

func TestDailyQuotaStopsBeforeTheCallIsMade(t *testing.T) {
	bubble(t, func(t *testing.T) {
		v := &vendor{perMinute: 60, perDay: 5}
		c := v.caller(t, func(o *Options) { o.Reserve = Reserve{Calls: 2} })
		for range 3 {
			if _, err := get(t, c); err != nil {
				t.Fatal(err)
			}
		}
		_, err := get(t, c)
		var quota *QuotaError
		if !errors.As(err, &quota) || quota.Scope != "123" {
			t.Fatalf("got %v, want a quota error", err)
		}
		midnight := time.Now().UTC().Truncate(24 * time.Hour).Add(24 * time.Hour)
		if d := quota.Reset.Sub(midnight); d < 0 || d > time.Second {
			t.Errorf("reset %v, want %v", quota.Reset, midnight)
		}
		if len(v.requests) != 3 {
			t.Errorf("%d requests sent, want 3", len(v.requests))
		}
		left := c.Left("123")
		if !left.DayKnown || left.Day != 2 || left.DayLimit != 5 {
			t.Errorf("left %+v", left)
		}
		pass(time.Until(quota.Reset))
		if _, err := get(t, c); err != nil {
			t.Errorf("on the next day: %v", err)
		}
	})
}

func TestDaily429IsAQuotaErrorAndRemembered(t *testing.T) {
	bubble(t, func(t *testing.T) {
		v := &vendor{perMinute: 60, perDay: 5}
		v.open()
		v.days[time.Now().UTC().Truncate(24*time.Hour)] = 5
		c := v.caller(t, nil)
		for range 3 {
			_, err := get(t, c)
			if _, ok := errors.AsType[*QuotaError](err); !ok {
				t.Fatalf("got %v, want a quota error", err)
			}
		}
		if len(v.requests) != 1 {
			t.Errorf("%d requests sent, want 1", len(v.requests))
		}
		if _, err := c.Get(t.Context(), "456", "crm/Accounts", page); err == nil {
			t.Error("the vendor had calls for another scope")
		}
		if len(v.requests) != 2 {
			t.Error("another scope has a quota of its own and was not asked")
		}
	})
}

// The first refusal costs a minute, the next ones more.
func TestBare429WaitsLongerEachTime(t *testing.T) {
	bubble(t, func(t *testing.T) {
		v := &vendor{script: func(n int, _ *http.Request) (*http.Response, error) {
			if n <= 4 {
				return reply(429, nil, ""), nil
			}
			return nil, nil
		}}
		c := v.caller(t, nil)
		if _, err := get(t, c); err != nil {
			t.Fatal(err)
		}
		var waits []time.Duration
		for i := 1; i < len(v.at); i++ {
			waits = append(waits, v.at[i].Sub(v.at[i-1]).Round(10*time.Second))
		}
		want := []time.Duration{time.Minute, 2 * time.Minute, 4 * time.Minute, 8 * time.Minute}
		if len(waits) != 4 {
			t.Fatalf("waits %v, want %v", waits, want)
		}
		for i := range want {
			if waits[i] != want[i] {
				t.Fatalf("waits %v, want %v", waits, want)
			}
		}
	})
}

func TestEndless429EndsAsUnreachable(t *testing.T) {
	bubble(t, func(t *testing.T) {
		v := &vendor{script: func(int, *http.Request) (*http.Response, error) { return reply(429, nil, ""), nil }}
		c := v.caller(t, nil)
		_, err := get(t, c)
		var down *Unreachable
		if !errors.As(err, &down) || down.Attempts != maxThrottled {
			t.Fatalf("got %v", err)
		}
	})
}

func FuzzRates(f *testing.F) {
	f.Add("60", "59", "1638447360000", "5000", "4999", "1638489600000")
	f.Add("", "", "", "", "", "")
	f.Add("0", "0", "0", "-1", "1e9", "99999999999999999999")
	f.Add(" 60 ", "1000", "4102444800000", "0", "0", "1638489600")
	f.Fuzz(func(t *testing.T, ml, mr, ms, dl, dr, ds string) {
		h := http.Header{}
		for name, value := range map[string]string{
			"X-RateLimit-Minutely-Limit": ml, "X-RateLimit-Minutely-Remaining": mr, "X-RateLimit-Minutely-Reset": ms,
			"X-RateLimit-Limit": dl, "X-RateLimit-Remaining": dr, "X-RateLimit-Reset": ds,
		} {
			h.Set(name, value)
		}
		r := ReadRates(h)
		for _, rate := range []Rate{r.Minute, r.Day} {
			if rate.Limit == 0 || rate.Limit < -1 || rate.Remaining < -1 {
				t.Fatalf("impossible rate %+v", rate)
			}
		}
		now := time.UnixMilli(1638447341000)
		o := Options{Clock: func() time.Time { return now }}
		o.fill()
		l := newLimiter(o)
		for _, status := range []int{200, 429, 200} {
			permit, v, _ := l.book(t.Context(), address{"1", "x"})
			if v.err != nil {
				return // the day is used up, as the headers say
			}
			if permit == nil {
				if v.answer || v.other || v.pause > 20*time.Minute {
					t.Fatalf("%+v after %+v", v, r)
				}
				now = now.Add(v.pause)
				continue
			}
			_ = permit.Learn(t.Context(), Report{Sent: now, Received: now, Date: now, Status: status, Rates: r})
		}
	})
}

func TestRatesOfARealAnswer(t *testing.T) {
	h := http.Header{}
	h.Set("X-RateLimit-Limit", "9000")
	h.Set("X-RateLimit-Remaining", "8924")
	h.Set("X-RateLimit-Reset", "1638489600000")
	h.Set("X-RateLimit-Minutely-Limit", "100")
	h.Set("X-RateLimit-Minutely-Remaining", "99")
	h.Set("X-RateLimit-Minutely-Reset", "1638447360000")
	got := ReadRates(h)
	want := Rates{
		Day:    Rate{Limit: 9000, Remaining: 8924, Reset: time.Date(2021, 12, 3, 0, 0, 0, 0, time.UTC)},
		Minute: Rate{Limit: 100, Remaining: 99, Reset: time.Date(2021, 12, 2, 12, 16, 0, 0, time.UTC)},
	}
	if got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if none := ReadRates(http.Header{}); none.Day.Known() || none.Minute.Known() {
		t.Errorf("absent headers are unknown, got %+v", none)
	}
}
