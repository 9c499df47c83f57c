package alert

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"
)

// message is what a receiver gets at once: one condition, or several when there are many. Its JSON is
// the generic shape, a contract that only grows.
type message struct {
	Version int `json:"version"`
	// ID is the same when the message is delivered a second time, after a kill or an answer that was
	// lost, and different for everything else: who has seen it may drop it.
	ID       string    `json:"id"`
	Status   Status    `json:"status"`
	Kind     Kind      `json:"kind"`
	Pipeline string    `json:"pipeline,omitempty"`
	Subject  string    `json:"subject,omitempty"`
	Message  string    `json:"message"`
	Hint     string    `json:"hint,omitempty"`
	Count    int       `json:"count,omitempty"`
	Since    time.Time `json:"since,omitzero"`
	Over     time.Time `json:"over_at,omitzero"`
	Times    int       `json:"times,omitempty"` // told before
	From     string    `json:"from,omitempty"`
	Text     string    `json:"text"` // all of it, in one or two lines
	// Alerts are the conditions of a message of several.
	Alerts []message `json:"alerts,omitempty"`

	notes []*note
}

// Several is the kind of a message that holds several conditions.
const Several Kind = "several"

// atOnce is how many messages a receiver gets one by one before they are put into one.
const atOnce = 5

// messages are what to send of what is owed.
func messages(owed []*note) []message {
	var all []message
	for _, n := range owed {
		all = append(all, messageOf(n))
	}
	if len(all) <= atOnce {
		return all
	}
	return []message{together(all)}
}

func (n *note) since() time.Time {
	if n.Since.IsZero() {
		return n.Opened
	}
	return n.Since
}

func messageOf(n *note) message {
	m := message{
		Version: 1, Status: n.Owed, Kind: n.Kind, Pipeline: n.Pipeline, Subject: n.Subject, Message: n.Message, Hint: n.Hint,
		Count: n.Count, Since: n.since().UTC(), Over: n.Over, Times: n.Times, notes: []*note{n},
		ID: digest(n.cause(), n.Opened.UTC().Format(time.RFC3339Nano), string(n.Owed), fmt.Sprint(n.Times)),
	}
	if m.Status == Recovered {
		m.Hint = ""
	}
	m.Text = m.words()
	return m
}

// together puts many messages into one.
func together(all []message) message {
	m := message{Version: 1, Status: Recovered, Kind: Several, Count: len(all), Alerts: all}
	var ids, lines []string
	problems := 0
	for _, a := range all {
		ids, lines = append(ids, a.ID), append(lines, a.Text)
		m.notes = append(m.notes, a.notes...)
		if a.Status == Problem {
			m.Status = Problem
			problems++
		}
	}
	m.ID = digest(ids...)
	m.Message = fmt.Sprintf("%d things to know, %d of them wrong", len(all), problems)
	m.Text = "exactduck: " + m.Message
	for _, line := range lines[:min(len(lines), listed)] {
		m.Text += "\n" + line
	}
	if more := len(lines) - listed; more > 0 {
		m.Text += fmt.Sprintf("\nand %d more", more)
	}
	m.Hint = "exactduck alert list"
	return m
}

// listed is how many conditions of a message of several are written out in its text.
const listed = 20

func trial(now time.Time) *message {
	m := &message{
		Version: 1, ID: digest("test", now.UTC().Format(time.RFC3339Nano)), Status: Trial, Kind: "test", Since: now.UTC(),
		Message: "this is a test: nothing is wrong, and alerts arrive here",
	}
	m.Text = m.words()
	return m
}

// words is a message for people: what, and below it what to type.
func (m *message) words() string {
	text := "exactduck"
	if m.Pipeline != "" {
		text += " " + m.Pipeline
	}
	switch m.Status {
	case Recovered:
		text += ": solved: " + m.Message
	default:
		text += ": " + m.Message
	}
	if m.Times > 0 && m.Status == Problem {
		text += " (still, since " + m.Since.UTC().Format("2006-01-02 15:04 MST") + ")"
	}
	if m.Hint != "" {
		text += "\n" + m.Hint
	}
	return text
}

// Line makes one line of a text, of at most 300 characters, without what steers a terminal.
func Line(text string) string {
	text, _, _ = strings.Cut(strings.TrimSpace(text), "\n")
	text = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || unicode.In(r, unicode.Cf) {
			return ' '
		}
		return r
	}, text)
	if runes := []rune(text); len(runes) > 300 {
		return string(runes[:299]) + "…"
	}
	return text
}

// body is a message in the shape of a receiver.
func (m message) body(as Shape, from string) ([]byte, error) {
	m.From = from
	switch as {
	case Slack:
		return json.Marshal(m.slack())
	case Teams:
		return json.Marshal(m.teams())
	}
	for i := range m.Alerts {
		m.Alerts[i].From = from
	}
	return json.Marshal(m)
}

type object = map[string]any

// slack is what an incoming webhook of Slack takes. Plain text mentions nobody and links nowhere.
func (m *message) slack() object {
	escaped := strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;").Replace(m.Text)
	block := func(id, text string) object {
		return object{"type": "section", "block_id": id, "text": object{"type": "plain_text", "emoji": false, "text": cut(text, 2900)}}
	}
	blocks := []object{block(m.ID, m.Text)}
	if m.From != "" {
		blocks = append(blocks, object{"type": "context", "elements": []object{{"type": "plain_text", "emoji": false, "text": m.From}}})
	}
	return object{"text": cut(escaped, 2900), "blocks": blocks}
}

// teams is the card that a workflow of Power Automate posts. Runs of text are no Markdown.
func (m *message) teams() object {
	line := func(id, text, color, weight string) object {
		run := object{"type": "TextRun", "text": text, "color": color, "weight": weight}
		return object{"type": "RichTextBlock", "id": id, "inlines": []object{run}}
	}
	color := map[Status]string{Problem: "attention", Recovered: "good"}[m.Status]
	color = cmp.Or(color, "default")
	var body []object
	for i, text := range slices.Collect(strings.SplitSeq(cut(m.Text, 12000), "\n")) {
		if i == 0 {
			body = append(body, line(m.ID, text, color, "bolder"))
			continue
		}
		body = append(body, line(fmt.Sprintf("%s-%d", m.ID, i), text, "default", "default"))
	}
	if m.From != "" {
		body = append(body, line(m.ID+"-from", m.From, "default", "lighter"))
	}
	card := object{
		"$schema": "http://adaptivecards.io/schemas/adaptive-card.json", "type": "AdaptiveCard", "version": "1.4",
		"msteams": object{"width": "Full"}, "fallbackText": cut(m.Text, 2900), "body": body,
	}
	return object{
		"type":        "message",
		"attachments": []object{{"contentType": "application/vnd.microsoft.card.adaptive", "contentUrl": nil, "content": card}},
	}
}

func cut(text string, most int) string {
	if runes := []rune(text); len(runes) > most {
		return string(runes[:most-1]) + "…"
	}
	return text
}
