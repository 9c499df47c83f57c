package extract

import "time"

// skew is how far the vendor's clock is ahead of ours, at least. The Date header is cut to the
// second, so one answer bounds the truth from both sides, and the best lower bound of many comes
// close to it. Being on the low side makes us wait a little too long, never too short.
type skew struct {
	ahead time.Duration
	known bool
	heard bool // from an answer to this process, and not from an earlier one's notes
}

// adopt takes over what an earlier process found out.
func (s *skew) adopt(ahead time.Duration) {
	if !s.known {
		s.ahead, s.known = ahead, true
	}
}

func (s *skew) observe(r Report) {
	least, most := r.Date.Sub(r.Received), r.Date.Add(time.Second).Sub(r.Sent)
	if !s.known || s.ahead < least || s.ahead > most {
		s.ahead, s.known = least, true
	}
	s.heard = true
}

func (s *skew) at(t time.Time) time.Time { return t.Add(s.ahead).UTC() }

// doubtful is how far apart two clocks are that cannot both be kept by somebody.
const doubtful = 5 * time.Minute

// doubted reports that the clock is so far off that it may have been set since.
func (s *skew) doubted() bool { return !s.heard && s.ahead.Abs() > doubtful }
