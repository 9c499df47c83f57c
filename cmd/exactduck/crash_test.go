package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"exactduck/extract/sandbox"
	"exactduck/load"
)

// These tests kill processes, which the kernel outlives: they prove the order of our steps, and
// not that what was synced survives a power cut. Kills around a token refresh are package auth's.

// crashing are a stream with a deletions feed, one that is swept, and one that is replaced whole.
const crashing = `      - crm/Accounts
      - cashflow/Payments
      - read/financial/ReceivablesList`

// happening are changes that every table of crashing shows.
var happening = []sandbox.Change{
	{Entity: "crm/Accounts", Insert: 2, Update: 3, Delete: 2},
	{Entity: "cashflow/Payments", Insert: 2, Update: 2, Delete: 1},
	{Entity: "salesinvoice/SalesInvoices", Insert: 2},
}

// situation is what a run may be killed in.
type situation struct {
	name    string
	prepare func(o *office)
	args    []string // of the run, after sync
}

var situations = []situation{
	{name: "first load", prepare: func(*office) {}},
	{name: "what changed", prepare: func(o *office) { o.synced(); o.change(happening...) }},
	{name: "full refresh", args: []string{"--full-refresh"}, prepare: func(o *office) { o.synced(); o.change(happening...) }},
	{name: "sweep", prepare: func(o *office) {
		o.synced()
		o.change(happening...)
		o.later(8 * 24 * time.Hour)
	}},
	{name: "moved division", prepare: func(o *office) {
		o.synced()
		o.later(time.Hour)
		if err := o.sandbox.MoveDivision(0); err != nil {
			o.t.Fatal(err)
		}
		o.change(happening...)
	}},
}

// unswept are the streams of crashing that may keep deleted rows after a plain sync that follows
// a run which was killed in the situation.
func (s situation) unswept() []string {
	if s.name == "first load" || s.name == "sweep" {
		return nil
	}
	return []string{"cashflow/Payments"}
}

func (o *office) synced() {
	o.t.Helper()
	o.run(0, "sync", "-q")
	o.later(time.Minute)
}

// Whichever step a run is killed at, readers see the night before or the new one, and the next run
// ends where an undisturbed one would have. Every kind of step is tried once, in some situation,
// and then any steps.
func TestKilledRunsLeaveNoTrace(t *testing.T) {
	t.Parallel()
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	dice := rand.New(rand.NewPCG(seed, 0))
	offices, told := make([]*office, len(situations)), make([][]string, len(situations))
	for i, s := range situations {
		o := newOffice(t, crashing, sandbox.Options{Seed: seed, Divisions: 1, Scale: 0.1})
		s.prepare(o)
		offices[i], told[i] = o, o.copy(t).steps(s.command()...)
	}
	points := onceEach(dice, told)
	if !long() { // one in eight of the kinds, others each time
		for i := range points {
			points[i] = sample(dice, points[i], (len(points[i])+7)/8)
		}
	}
	for i, s := range situations {
		points[i] = append(points[i], some(dice, rounds(0, 400), len(told[i]))...)
		var chains [][]int
		for range rounds(1, 100) {
			chains = append(chains, some(dice, 5, len(told[i])))
		}
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			for _, n := range points[i] {
				t.Run(fmt.Sprintf("at %d, %s", n, told[i][n-1]), func(t *testing.T) { offices[i].copy(t).killed(s, n) })
			}
			for _, chain := range chains {
				t.Run(fmt.Sprintf("at %v in a row", chain), func(t *testing.T) { offices[i].copy(t).killed(s, chain...) })
			}
		})
	}
}

// sample is so many of the values, in no order.
func sample[T any](dice *rand.Rand, values []T, count int) []T {
	dice.Shuffle(len(values), func(i, j int) { values[i], values[j] = values[j], values[i] })
	return values[:min(count, len(values))]
}

// onceEach are the numbers of records to kill at in each situation, so that each message is met
// once, where it first occurs in a situation that has it.
func onceEach(dice *rand.Rand, told [][]string) [][]int {
	points, met := make([][]int, len(told)), map[string]bool{}
	for range 10 * len(told) { // the last rounds are for messages that only one situation has
		for i, messages := range told {
			for n, m := range messages {
				if slices.Index(messages, m) == n && !met[m] && dice.IntN(len(told)) == 0 {
					met[m], points[i] = true, append(points[i], n+1)
				}
			}
		}
	}
	return points
}

func (s situation) command() []string { return append([]string{"sync"}, s.args...) }

// killed kills one run after another at the given steps, and lets one end.
func (o *office) killed(s situation, at ...int) {
	o.t.Helper()
	for i, n := range at {
		died := o.kill(n, s.command()...)
		if i == 0 {
			o.oneRun()
		}
		if !died {
			break // a run that resumes has fewer steps
		}
	}
	o.run(0, "sync", "-q")
	o.equal(s.unswept()...)
	o.sameInLake()
	o.tidy()
	o.fresh()
}

// steps are the messages that an undisturbed run logs, in order.
func (o *office) steps(args ...string) []string {
	o.t.Helper()
	var log bytes.Buffer
	c := o.process(append(args, "-v", "--log-format", "json")...)
	c.Stderr = &log
	if err := c.Run(); err != nil {
		o.t.Fatalf("%v: %s", err, log.String())
	}
	var messages []string
	for line := range strings.Lines(log.String()) {
		var record struct{ Msg string }
		if json.Unmarshal([]byte(line), &record) == nil && record.Msg != "" {
			messages = append(messages, record.Msg)
		}
	}
	if len(messages) < 50 {
		o.t.Fatalf("only %d steps are told", len(messages))
	}
	return messages
}

// some are n random numbers from 1 to most.
func some(dice *rand.Rand, n, most int) []int {
	numbers := make([]int, n)
	for i := range numbers {
		numbers[i] = 1 + dice.IntN(most)
	}
	return numbers
}

// oneRun fails the test when the published file, if there is one, mixes runs. It is for offices
// in which every run that was published has changed every table.
func (o *office) oneRun() {
	o.t.Helper()
	if _, err := os.Stat(o.file("books.duckdb")); err != nil {
		return
	}
	newest := map[string]bool{}
	for _, table := range o.tables() {
		newest[o.ask(fmt.Sprintf(`SELECT max(_run_id) FROM %s`, table))] = true
	}
	if len(newest) != 1 {
		o.t.Errorf("the published file mixes runs: %v", slices.Collect(maps.Keys(newest)))
	}
}

// tables are the names of the pipeline's tables.
func (o *office) tables() []string {
	o.t.Helper()
	choices, err := o.config().Pipelines["nightly"].Choices(catalogue)
	if err != nil {
		o.t.Fatal(err)
	}
	var names []string
	for _, c := range choices {
		names = append(names, c.Stream.Variants[0].Table.FullName())
	}
	return names
}

// ask is the one value that a query on the published file answers.
func (o *office) ask(query string) string {
	o.t.Helper()
	reader, err := load.OpenReader(o.t.Context(), o.file("books.duckdb"))
	if err != nil {
		o.t.Fatal(err)
	}
	defer reader.Close()
	answer, err := reader.Query(o.t.Context(), query)
	if err != nil {
		o.t.Fatal(err)
	}
	defer answer.Close()
	for row, err := range answer.Rows() {
		if err != nil {
			o.t.Fatal(err)
		}
		return textOf(row[0])
	}
	return ""
}

// A row that is deleted at the source while the read that brought it is broken off does not rise
// again when the read goes on: the deletions are read after it, and honoured.
func TestRowsThatGoDuringABrokenReadStayAway(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{{"sync"}, {"sync", "--full-refresh"}} {
		t.Run(strings.Join(args, " "), func(t *testing.T) {
			t.Parallel()
			o := newOffice(t, "      - financial/TransactionLines", sandbox.Options{Divisions: 1, Scale: 1})
			if len(args) > 1 {
				o.synced()
			}
			if !o.kill(1+slices.Index(o.copy(t).steps(args...), "spooled page"), args...) {
				t.Fatal("nothing was killed")
			}
			if left := o.spooled(); len(left) != 1 {
				t.Fatalf("a broken read leaves %v", left)
			}
			before := o.calls("TransactionLines")
			o.later(time.Minute)
			o.change(sandbox.Change{Entity: "financial/TransactionLines", Delete: 200})
			o.run(0, "sync", "-q")
			if again := o.calls("TransactionLines") - before; again > 2 {
				t.Errorf("the read went on with %d calls: it began anew", again)
			}
			o.equal()
			o.tidy()
		})
	}
}
