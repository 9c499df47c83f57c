package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"exactduck/cmd/exactduck/alert"
)

func alertCommands() []command {
	return []command{
		{
			name: "alert test", usage: "send every receiver a message that says that it is a test", do: doAlertTest,
			help: `
Sends each entry of alerts: in pipelines.yaml one message, and pings each ping, whatever it was told
before; nothing of it is remembered. What a command writes is shown here, and only here.

   exactduck alert test

Exit codes: 0 all have taken it, 2 there is nobody to tell, 3 somebody has not.`,
		},
		{
			name: "alert list", usage: "what is wrong now, and who was told of it", args: "[PIPELINE…]", do: doAlertList,
			help: `
Reads what is remembered and tells nobody. Alerts are sent by "exactduck sync" and "exactduck verify" at
their end, and every minute by "exactduck serve": once for each cause, again after repeat: while it lasts,
and once when it is over. Whoever does not take a message is tried again, after a minute first and after
an hour at most, and again when the next command ends. A message that was delivered and not yet noted
when the machine died comes twice, with the same id.

   exactduck alert list
   exactduck alert list nightly --output json`,
		},
	}
}

// nobodyTold are receivers that have not taken a trial message.
type nobodyTold struct{ names []string }

func (e *nobodyTold) Error() string { return strings.Join(e.names, ", ") + " could not be told" }

func doAlertTest(ctx context.Context, k *call) (*view, error) {
	h, err := k.herald(1, k.err)
	if err != nil {
		return nil, err
	}
	if len(k.cfg.Alerts) == 0 {
		return nil, &usageError{"there is nobody to tell", "write alerts: [{webhook: ${ALERT_URL}}] into pipelines.yaml"}
	}
	tried := h.desk.Try(ctx)
	for i, err := range h.none {
		tried = append(tried, alert.Tried{Receiver: h.mute[i], Problem: alert.Line(err.Error())})
	}
	failed := &nobodyTold{}
	for _, t := range tried {
		if t.Problem != "" {
			failed.names = append(failed.names, t.Receiver)
		}
	}
	v := &view{data: tried, text: func(out io.Writer) {
		t := newTable(out, "receiver", "result")
		for _, tried := range tried {
			t.AppendRow([]any{tried.Receiver, cmp.Or(tried.Problem, "told")})
		}
		t.Render()
	}}
	if len(failed.names) > 0 {
		return v, failed
	}
	return v, nil
}

// openAlert is something that is wrong, and when each receiver was last told of it.
type openAlert struct {
	alert.Condition
	Told map[string]time.Time `json:"told"`
}

// alertsListed is what "alert list" shows.
type alertsListed struct {
	Open      []openAlert  `json:"open"`
	Receivers []alert.Told `json:"receivers"`
}

func doAlertList(ctx context.Context, k *call) (*view, error) {
	pipelines, err := k.pipelines()
	if err != nil {
		return nil, err
	}
	b, err := k.books()
	if err != nil {
		return nil, err
	}
	s, err := b.standing(ctx, pipelines)
	if err != nil {
		return nil, err
	}
	h, err := k.herald(1, nil)
	if err != nil {
		return nil, err
	}
	for _, err := range h.none {
		k.warnings = append(k.warnings, "alerts: "+err.Error())
	}
	listed := alertsListed{Open: []openAlert{}, Receivers: []alert.Told{}}
	if h.desk != nil {
		if listed.Receivers, err = h.desk.Look(); err != nil {
			return nil, err
		}
	}
	for _, c := range report(&s).Conditions {
		listed.Open = append(listed.Open, openAlert{c, lastTold(c, listed.Receivers)})
	}
	return &view{data: listed, text: func(out io.Writer) { listed.print(out, k.clock()) }}, nil
}

func lastTold(c alert.Condition, all []alert.Told) map[string]time.Time {
	told := map[string]time.Time{}
	for i := range all {
		if at, ok := all[i].Of(c); ok {
			told[all[i].Receiver] = at
		}
	}
	return told
}

// sentListed is how many messages are printed.
const sentListed = 20

func (l *alertsListed) print(out io.Writer, now time.Time) {
	if len(l.Open) == 0 {
		fmt.Fprintln(out, "nothing is wrong")
	}
	for _, c := range l.Open {
		fmt.Fprintf(out, "%s %s: %s\n", c.Kind, cmp.Or(c.Pipeline, c.Subject), c.Message)
		fmt.Fprintf(out, "  %s\n", c.Hint)
		if len(l.Receivers) > 0 {
			fmt.Fprintf(out, "  %s\n", toldInWords(c.Told, now))
		}
	}
	if len(l.Receivers) == 0 {
		fmt.Fprintln(out, "nobody is told: pipelines.yaml has no alerts:")
		return
	}
	var sent []alert.Sent
	for i := range l.Receivers {
		r := &l.Receivers[i]
		sent = append(sent, r.Sent...)
		if r.Problem != "" {
			fmt.Fprintf(out, "%s: %s, is owed %s and tried again after %s\n", r.Receiver, r.Problem, plural(r.Owed, "message"), minute(r.Next))
		}
	}
	slices.SortStableFunc(sent, func(a, b alert.Sent) int { return b.At.Compare(a.At) })
	if len(sent) == 0 {
		return
	}
	fmt.Fprintln(out)
	t := newTable(out, "sent", "to", "status", "kind", "pipeline", "message")
	for _, s := range sent[:min(len(sent), sentListed)] {
		t.AppendRow([]any{ago(s.At, now), s.Receiver, s.Status, s.Kind, s.Pipeline, cell(s.Message, terminal(out))})
	}
	t.Render()
	andMore(out, len(sent)-sentListed, "messages")
}

func toldInWords(told map[string]time.Time, now time.Time) string {
	if len(told) == 0 {
		return "nobody was told yet"
	}
	var names []string
	for name, at := range told {
		names = append(names, name+" "+ago(at, now))
	}
	slices.Sort(names)
	return "told: " + strings.Join(names, ", ")
}
