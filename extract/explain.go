package extract

import (
	"errors"
	"fmt"
	"strings"
)

// Explanation says in plain words what an answer of a vendor means, and what to do.
type Explanation struct{ Means, Do string }

// Meanings are what is known of the answers of a vendor, the first that fits counting.
type Meanings struct {
	lines []meaning
	// Same tells whether the reason of an answer is that of a line.
	Same func(answer, line string) bool
	// Blank stands in the texts for what Fill says of an endpoint and what it answered.
	Blank string
	Fill  func(endpoint, message string) string
}

// meaning is of the answers with this status ("*" is any), this reason, and these words in their message.
type meaning struct {
	status, reason, words string
	Explanation
}

// ParseMeanings reads lines of five fields with | between them: status, reason, words, what it means and
// what to do. Lines that begin with # are remarks. It panics where a line is malformed: such texts are
// part of the program.
func ParseMeanings(text string) *Meanings {
	all := &Meanings{}
	number := 0
	for line := range strings.Lines(text) {
		number++
		if line = strings.TrimSpace(line); line == "" || line[0] == '#' {
			continue
		}
		fields := strings.Split(line, "|")
		if len(fields) != 5 {
			panic(fmt.Sprintf("meanings of answers, line %d: %d fields, not 5", number, len(fields)))
		}
		for i := range fields {
			fields[i] = strings.TrimSpace(fields[i])
		}
		all.lines = append(all.lines, meaning{fields[0], fields[1], fields[2], Explanation{fields[3], fields[4]}})
	}
	return all
}

// Explain finds what is known of the answer that an error is about, a *[Refused] or an *[Unreachable] in
// its tree; false: nothing is.
func (m *Meanings) Explain(err error) (Explanation, bool) {
	if refused, ok := errors.AsType[*Refused](err); ok {
		return m.explain(refused.Status, refused.Endpoint, refused.Reason, refused.Message)
	}
	if gone, ok := errors.AsType[*Unreachable](err); ok && gone.Err != nil {
		return m.explain(0, gone.Endpoint, "", gone.Err.Error())
	}
	return Explanation{}, false
}

func (m *Meanings) explain(status int, endpoint, reason, message string) (Explanation, bool) {
	for _, l := range m.lines {
		fits := l.status == "*" || l.status == fmt.Sprint(status)
		if fits && m.Same(reason, l.reason) && strings.Contains(strings.ToLower(message), l.words) {
			filled := strings.NewReplacer(m.Blank, m.Fill(endpoint, message))
			return Explanation{filled.Replace(l.Means), filled.Replace(l.Do)}, true
		}
	}
	return Explanation{}, false
}
