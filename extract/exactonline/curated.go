package exactonline

import (
	_ "embed"
	"fmt"
	"strings"
	"sync"
)

//go:embed curated.txt
var curatedText string

// decision is one line of curated.txt. Only joins has an object.
type decision struct{ verb, subject, object, reason string }

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
	words := append(strings.Fields(head), "", "", "")
	d := decision{verb: words[0], subject: words[1], object: words[2], reason: reason}
	if d.subject == "" || d.reason == "" || (d.object != "") != (d.verb == "joins") {
		return decision{}, fmt.Errorf("not a verb, a subject and a reason: %q", line)
	}
	switch d.verb {
	case "own", "same", "keyless", "joins", "shared", "quiet", "personal":
		return d, nil
	}
	return decision{}, fmt.Errorf("unknown verb %q", d.verb)
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

// joined is the stream to which the endpoint of that name belongs: one decided on, or its own.
func joined(name string) string {
	for _, d := range decisions() {
		if d.verb == "joins" && d.subject == name {
			return d.object
		}
	}
	return name
}
