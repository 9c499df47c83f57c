package exactonline

import (
	_ "embed"
	"fmt"
	"strings"
	"sync"
)

//go:embed curated.txt
var curatedText string

// decision is one line of curated.txt.
type decision struct{ verb, subject, reason string }

var decisions = sync.OnceValue(func() []decision {
	var all []decision
	number := 0
	for line := range strings.Lines(curatedText) {
		number++
		if line = strings.TrimSpace(line); line == "" || line[0] == '#' {
			continue
		}
		d, err := parseDecision(line)
		if err != nil {
			panic(fmt.Sprintf("curated.txt:%d: %v", number, err))
		}
		all = append(all, d)
	}
	return all
})

func parseDecision(line string) (decision, error) {
	head, reason, _ := strings.Cut(line, ": ")
	verb, subject, ok := strings.Cut(head, " ")
	if !ok || reason == "" {
		return decision{}, fmt.Errorf("not a verb, a subject and a reason: %q", line)
	}
	switch verb {
	case "own", "same", "shared", "quiet", "personal":
		return decision{verb, strings.TrimSpace(subject), reason}, nil
	}
	return decision{}, fmt.Errorf("unknown verb %q", verb)
}

// decided returns the subject of the first decision of that verb which covers the name, or "".
func decided(verb, name string) string {
	for _, d := range decisions() {
		if d.verb == verb && d.covers(name) {
			return d.subject
		}
	}
	return ""
}

func (d decision) covers(name string) bool {
	return name == d.subject || strings.HasSuffix(d.subject, "/") && strings.HasPrefix(name, d.subject)
}
