package sandbox

import (
	"fmt"
	"time"
)

// links remembers when links to next pages were given out, while they lapse at all.
type links struct {
	given  map[string]time.Time
	pruned bool
}

func newLinks() *links { return &links{given: map[string]time.Time{}} }

// manyLinks is when those that have lapsed are forgotten.
const manyLinks = 10_000

// give notes that a link was given out.
func (l *links) give(division int, path, token string, life time.Duration, now time.Time) {
	if life <= 0 {
		return
	}
	if len(l.given) > manyLinks {
		l.pruned = true
		for key, at := range l.given {
			if now.Sub(at) >= life {
				delete(l.given, key)
			}
		}
	}
	l.given[linkKey(division, path, token)] = now
}

// lapsed says whether a link is too old. One that was given out before links lapsed, or by a sandbox
// before this one, is not.
func (l *links) lapsed(division int, path, token string, life time.Duration, now time.Time) bool {
	if life <= 0 || token == "" {
		return false
	}
	at, known := l.given[linkKey(division, path, token)]
	return known && now.Sub(at) >= life || !known && l.pruned
}

func linkKey(division int, path, token string) string {
	return fmt.Sprintf("%d %s %s", division, path, token)
}
