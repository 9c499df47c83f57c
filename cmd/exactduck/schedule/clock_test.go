package schedule

import (
	"testing"
	"time"
)

// A clock that was ahead and is put right leaves out one occurrence at most, and repeats none.
func TestAClockThatWasAhead(t *testing.T) {
	d := newDesk(t, "0 * * * *", amsterdam, "11-02 09:30")
	d.set(amsterdam, "11-02 20:30") // eleven hours
	d.expect(d.play(time.Minute, 0), "02 20:30 schedule caught up")
	d.set(amsterdam, "11-02 09:31")
	d.expect(d.play(150*time.Minute, 0), "02 11:00 schedule", "02 12:00 schedule")

	d = newDesk(t, "15 4 * * *", amsterdam, "11-02 21:00")
	d.set(amsterdam, "11-03 05:00")
	d.expect(d.play(time.Minute, 0), "03 05:00 schedule caught up")
	d.set(amsterdam, "11-02 21:01")
	d.expect(d.play(48*time.Hour, 0), "04 04:15 schedule")

	d = newDesk(t, "15 4 * * *", amsterdam, "11-02 04:00")
	d.expect(d.play(20*time.Minute, 0), "02 04:15 schedule")
	d.set(amsterdam, "11-02 04:14") // a step of a time server
	d.expect(d.play(24*time.Hour-20*time.Minute, 0))
}

// What was put off, asked for, or waited for by a clock that was ahead does not wait for that time.
func TestNothingWaitsForAClockThatWasAhead(t *testing.T) {
	d := newDesk(t, "15 4 * * *", amsterdam, "11-02 01:00")
	d.set(amsterdam, "12-31 01:00")
	d.expect(d.play(time.Minute, 0, exitBusy), "31 01:00 schedule caught up")
	d.set(amsterdam, "11-02 01:01")
	d.expect(d.play(24*time.Hour, 0), "02 04:15 schedule")

	d = newDesk(t, "15 4 * * *", amsterdam, "11-02 01:00")
	d.set(amsterdam, "11-02 12:00")
	d.must(d.Pause("nightly"))
	d.must(d.Request("nightly"))
	d.set(amsterdam, "11-02 01:01")
	d.expect(d.play(time.Hour, 0), "02 01:01 requested")

	d = newDesk(t, "15 4 * * *", amsterdam, "11-02 01:00")
	d.login = d.at.Add(-48 * time.Hour)
	d.set(amsterdam, "12-31 01:00") // by which the login would have lapsed
	d.expect(d.play(time.Hour, 0, exitLogin), "31 01:00 schedule caught up")
	d.set(amsterdam, "11-02 01:01")
	if d.standing().NeedsLogin {
		t.Error("it waits for somebody who need not come")
	}
	d.expect(d.play(time.Hour, 0), "02 01:01 again")
}
