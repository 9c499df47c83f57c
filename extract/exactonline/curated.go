package exactonline

import (
	_ "embed"
	"fmt"
	"strings"
	"sync"

	"exactduck/extract"
)

//go:embed curated.txt
var curatedText string

// decision is one line of curated.txt. Joins, lines and part have another stream for an object, dated and
// born a property; only lines and part have a column besides.
type decision struct{ verb, subject, object, column, reason string }

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
	words := strings.Fields(head)
	wanted, known := map[string]int{
		"own": 2, "same": 2, "keyless": 2, "shared": 2, "quiet": 2, "personal": 2, "joins": 3, "dated": 3, "born": 3, "lines": 4, "part": 4,
	}[append(words, "")[0]]
	if !known || len(words) != wanted || reason == "" {
		return decision{}, fmt.Errorf("not a verb, what it takes and a reason: %q", line)
	}
	words = append(words, "", "")
	return decision{verb: words[0], subject: words[1], object: words[2], column: words[3], reason: reason}, nil
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

// datedBy is the property of an endpoint that says when a record was last changed; once: it says
// only when it was made.
func datedBy(stream string, e *Endpoint) (property string, once bool) {
	if e.Has(modifiedName) {
		return modifiedName, false
	}
	for _, d := range decisions() {
		if (d.verb == "dated" || d.verb == "born") && d.subject == stream && e.Has(d.object) {
			return d.object, d.verb == "born"
		}
	}
	return "", false
}

// headerOf is the stream of the headers that the records of a stream are lines of, and the column
// in which a line names its header.
func headerOf(name string) (stream, column string) {
	for _, d := range decisions() {
		if d.verb == "lines" && d.subject == name {
			return d.object, d.column
		}
	}
	return "", ""
}

// partsOf are the streams with whose records those of a stream are forgotten.
func partsOf(name string) (all []extract.Part) {
	for _, d := range decisions() {
		if (d.verb == "lines" || d.verb == "part") && d.subject == name {
			all = append(all, extract.Part{Stream: d.object, Column: d.column})
		}
	}
	return all
}
