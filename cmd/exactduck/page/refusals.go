package page

import (
	"sync"
	"time"
)

// saidEvery is how often the log has a line about refusals for the same reason: whoever can reach the
// page could fill the disk otherwise.
const saidEvery = time.Minute

// refusals count what is refused for each reason, of which there are few. The zero value has seen none.
type refusals struct {
	mu   sync.Mutex
	seen map[string]*refused
}

type refused struct {
	silent time.Time // nothing is said before
	unsaid int       // since the last line
}

// count notes a refusal. It reports whether the log is to have it, and how many it did not have since its
// last line about the same.
func (f *refusals) count(why string, now time.Time) (say bool, unsaid int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.seen == nil {
		f.seen = map[string]*refused{}
	}
	r := f.seen[why]
	if r == nil {
		r = &refused{}
		f.seen[why] = r
	}
	if now.Before(r.silent) && r.silent.Sub(now) <= saidEvery {
		r.unsaid++
		return false, 0
	}
	unsaid, r.unsaid, r.silent = r.unsaid, 0, now.Add(saidEvery)
	return true, unsaid
}
