package pay

import (
	"net/http"
	"strconv"
	"time"

	"exactduck/extract/sandbox/internal/wire"
)

// minute counts the requests of a token in one minute of the clock.
type minute struct {
	began time.Time
	used  int
}

// limit spends a request of a token, or refuses it. A refused one costs nothing.
func (s *Sandbox) limit(t *token) *wire.Reply {
	if s.switches.RateLimit == 0 {
		return nil
	}
	now := s.now()
	m := s.used[t.ID]
	if began := now.Truncate(time.Minute); m == nil || !m.began.Equal(began) {
		m = &minute{began: began}
		s.used[t.ID] = m
	}
	if m.used >= s.switches.RateLimit {
		return s.tooMany(m.began.Add(time.Minute).Sub(now))
	}
	m.used++
	return nil
}

// tooMany is the refusal for a limit.
func (s *Sandbox) tooMany(wait time.Duration) *wire.Reply {
	r := wire.Text(http.StatusTooManyRequests, plainText, "Too Many Requests")
	if !s.switches.BareLimits {
		r.Header.Set("Retry-After", strconv.Itoa(int((wait+time.Second-1)/time.Second)))
	}
	return r
}
