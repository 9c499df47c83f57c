package extract

import (
	"fmt"
	"math/rand/v2"
	"os"
	"sync"
	"testing"
	"time"

	"exactduck/extract/ledger"
)

// process is a Caller as another process would have it: it shares nothing but the ledger's folder.
func (v *vendor) process(t *testing.T, dir string, change func(*Options)) *Caller {
	t.Helper()
	return v.caller(t, func(o *Options) {
		o.Ledger = ledger.New(dir, nil)
		if change != nil {
			change(o)
		}
	})
}

// press makes calls from several goroutines of each Caller.
func press(t *testing.T, callers []*Caller, side, calls int) {
	t.Helper()
	var all sync.WaitGroup
	for i := range calls {
		if i < side*len(callers) {
			c := callers[i%len(callers)]
			all.Go(func() {
				for n := i; n < calls; n += side * len(callers) {
					if _, err := get(t, c); err != nil {
						t.Error(err)
						return
					}
				}
			})
		}
	}
	all.Wait()
}

// Processes that run side by side use every minute to the full together, and never hear "too many".
func TestProcessesUseEveryMinuteToTheFull(t *testing.T) {
	for _, processes := range []int{1, 2, 5} {
		for _, latency := range []time.Duration{30 * time.Millisecond, 900 * time.Millisecond, 2300 * time.Millisecond} {
			t.Run(fmt.Sprintf("%d with %v", processes, latency), func(t *testing.T) {
				dir := t.TempDir()
				bubble(t, func(t *testing.T) {
					pass(41*time.Second + 123*time.Millisecond)
					v := &vendor{perMinute: 60, perDay: 5000, latency: latency, ahead: 3*time.Second + 700*time.Millisecond}
					var callers []*Caller
					for range processes {
						callers = append(callers, v.process(t, dir, nil))
					}
					press(t, callers, 4, 300)
					checkMinutes(t, v)
					if left := v.process(t, dir, nil).Left("123"); left.Ours != 300 || left.Others != 0 || left.Day != 4700 {
						t.Errorf("accounted %+v", left)
					}
				})
			})
		}
	}
}

// rivals are other clients that eat half of the quota, each in its own way.
var rivals = map[string]func(time.Duration) int{
	"steady":       func(d time.Duration) int { return int(30 * d / time.Minute) },
	"at once":      func(time.Duration) int { return 30 },
	"in fives":     func(d time.Duration) int { return int(6*d/time.Minute) * 5 },
	"half way":     func(d time.Duration) int { return 30 * int(d/(30*time.Second)) },
	"now and then": func(d time.Duration) int { return min(30, int(d/(300*time.Millisecond))) },
}

// With another client eating half of the quota at most one call a minute is refused, nothing is left
// over, and the work gets done.
func TestARivalCostsAtMostOneRefusalAMinute(t *testing.T) {
	for name, rival := range rivals {
		for _, latency := range []time.Duration{50 * time.Millisecond, 400 * time.Millisecond, 2500 * time.Millisecond} {
			for _, processes := range []int{1, 3} {
				if processes > 1 && (latency > time.Second || name == "half way" || name == "in fives") {
					continue // these leave it nothing most of the time, and then it surprises them
				}
				t.Run(fmt.Sprintf("%s, %v, %d", name, latency, processes), func(t *testing.T) {
					dir := t.TempDir()
					bubble(t, func(t *testing.T) {
						pass(5 * time.Second)
						v := &vendor{perMinute: 60, perDay: 5000, latency: latency, rival: rival}
						var callers []*Caller
						for range processes {
							callers = append(callers, v.process(t, dir, nil))
						}
						press(t, callers, 4, 300)
						checkShared(t, v, processes)
						checkAccounted(t, v, v.process(t, dir, nil).Left("123"))
					})
				})
			}
		}
	}
}

func checkAccounted(t *testing.T, v *vendor, left Left) {
	t.Helper()
	eaten := 0
	for _, n := range v.eaten {
		eaten += n
	}
	if left.Ours < 300 || left.Others > eaten || left.Others < eaten-10 {
		t.Errorf("accounted %+v, the rival ate %d", left, eaten)
	}
}

// checkShared wants every minute but the first and the last used up, by us and the rival together, and
// no more than one refusal in any. Nobody can foresee a rival that takes all there is at one moment,
// the first time: then what is under way is refused.
func checkShared(t *testing.T, v *vendor, processes int) {
	t.Helper()
	first, last := v.at[0].Truncate(time.Minute), v.at[len(v.at)-1].Truncate(time.Minute)
	for minute, n := range v.minutes {
		r := v.refused[minute]
		if surprise := minute.Equal(first) && (processes > 1 || v.eaten[minute] > 20); r > 1 && !surprise {
			t.Errorf("%s: %d calls were too many", minute.Format(time.TimeOnly), r)
		}
		if minute.After(first) && minute.Before(last) && n+v.eaten[minute] < 58 {
			t.Errorf("%s: %d calls of ours and %d of the rival", minute.Format(time.TimeOnly), n, v.eaten[minute])
		}
	}
	if len(v.minutes) > 11 {
		t.Errorf("took %d minutes for 300 calls", len(v.minutes))
	}
}

// Whatever the limits, latencies, clocks and processes, some of which die with calls under way: the
// vendor never sees more than its limit.
func TestRandomSchedulesAreNeverTooMuch(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	rounds := 25
	if os.Getenv("EXACTDUCK_LONG") != "" {
		rounds = 1000
	}
	for round := range rounds {
		dice := rand.New(rand.NewPCG(seed, uint64(round)))
		dir := t.TempDir()
		bubble(t, func(t *testing.T) { randomSchedule(t, dice, dir) })
		if t.Failed() {
			t.Fatalf("in round %d", round)
		}
	}
}

func randomSchedule(t *testing.T, dice *rand.Rand, dir string) {
	pass(time.Duration(dice.IntN(60_000)) * time.Millisecond)
	v := &vendor{
		perMinute: 5 + dice.IntN(90), perDay: 100 + dice.IntN(900), mute: dice.IntN(6) == 0,
		ahead:   time.Duration(dice.IntN(20_000)-10_000) * time.Millisecond,
		latency: time.Duration(1+dice.IntN(4000)) * time.Millisecond,
	}
	if v.mute { // and nothing else tells
		v.perMinute, v.perDay, v.ahead = 60, 0, 0
	}
	var all sync.WaitGroup
	for range 1 + dice.IntN(4) {
		c := v.process(t, dir, nil)
		start, side, calls := time.Duration(dice.IntN(100_000))*time.Millisecond, 1+dice.IntN(5), 20+dice.IntN(80)
		all.Go(func() {
			pass(start)
			var own sync.WaitGroup
			for range side {
				own.Go(func() {
					for range calls / side {
						if _, err := get(t, c); err != nil && !postponed(err) {
							t.Error(err)
						}
					}
				})
			}
			own.Wait()
		})
	}
	all.Wait()
	if v.throttled > 0 {
		t.Errorf("%d calls were too many: %d a minute, %d a day, latency %v, ahead %v", v.throttled, v.perMinute, v.perDay, v.latency, v.ahead)
	}
	for day, n := range v.days {
		if v.perDay > 0 && n > v.perDay {
			t.Errorf("%d calls on %v", n, day)
		}
	}
}
