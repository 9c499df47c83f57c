package main

import (
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"exactduck/auth"
	"exactduck/cmd/exactduck/config"
	"exactduck/cmd/exactduck/runs"
	"exactduck/extract"
	"exactduck/extract/exactonline"
	"exactduck/extract/ledger"
	"exactduck/load"
	"exactduck/schema"
)

// newManyBooks is a world with the facts of many divisions and streams, as three nights have left them; the
// books themselves are empty.
func newManyBooks(t *testing.T, divisions, streams int) *world {
	t.Helper()
	all, err := exactonline.Match("*")
	if err != nil {
		t.Fatal(err)
	}
	var names, list []string
	for _, s := range all[:streams] {
		names, list = append(names, s.Name), append(list, "      - {stream: "+s.Name+", max_age: 36h}")
	}
	w := &world{t: t, dir: t.TempDir(), clock: &clock{now: time.Date(2026, 11, 21, 3, 0, 0, 0, time.UTC)}, pipelineLines: lakeless + "    schedule: '15 4 * * *'\n", log: slog.New(slog.DiscardHandler)}
	w.books = &books{config: w.configure(strings.Join(list, "\n")), clock: w.clock.time, log: w.log}
	w.furnish(divisions, all[:streams])
	for night := range 3 {
		w.clock.now = time.Date(2026, 11, 19+night, 3, 15, 0, 0, time.UTC)
		w.night(divisions, names)
	}
	calls := w.store().Path()
	book := ledger.New(strings.TrimSuffix(calls, ".json")+".calls", w.log)
	for d := range divisions {
		book.Update(t.Context(), officeScope(d), func(a *ledger.Account) {
			a.Roll(w.clock.time(), false)
			a.Day.Limit, a.Day.Ours = 5000, 60+d
		})
	}
	w.logins = func(string) (*login, error) { return &login{store: w.store()}, nil }
	w.clock.advance(time.Hour)
	return w
}

func (w *world) store() *auth.File {
	return auth.NewFile(filepath.Join(w.dir, "logins"), "http://127.0.0.1:8700", "app", w.log)
}

func officeScope(i int) schema.Scope { return schema.Scope(fmt.Sprint(100000 + i)) }

// furnish publishes a warehouse whose cursors say that all was read.
func (w *world) furnish(divisions int, streams []*extract.Stream) {
	w.t.Helper()
	var places []load.Division
	for d := range divisions {
		code := string(officeScope(d))
		places = append(places, load.Division{Scope: officeScope(d), Code: code, Name: "Division " + code + " B.V.", Active: true})
	}
	w.publish(places)
	var cursors []string
	for _, s := range streams {
		cursors = append(cursors, fmt.Sprintf("('%s', '%s', '%s')", s.Name, s.Variants[0].Table.FullName(), s.Variants[0].Name))
	}
	w.tamper(
		fmt.Sprintf(`INSERT INTO _exactduck.cursors (stream, scope, table_name, variant, fingerprint, epoch, position, complete, read_at, rows)
			SELECT s, (100000 + d)::VARCHAR, t, v, '', '', '{}', true, TIMESTAMPTZ '2026-11-20 03:15:00Z', 1000 + d
			FROM (VALUES %s) streams(s, t, v), range(%d) divisions(d)`, strings.Join(cursors, ", "), divisions),
		"UPDATE _exactduck.meta SET value = (value::BIGINT + 1)::VARCHAR WHERE key = 'generation'",
	)
	w.publish(places)
}

// publish publishes what there is, with these divisions.
func (w *world) publish(places []load.Division) {
	w.t.Helper()
	warehouse, err := w.open(w.t.Context(), w.pipeline(), false)
	if err != nil {
		w.t.Fatal(err)
	}
	id := runID(w.clock.time())
	if _, _, err := warehouse.MeetDivisions(w.t.Context(), id, places); err != nil {
		w.t.Fatal(err)
	}
	if _, err := warehouse.Publish(w.t.Context(), target(w.pipeline(), id)); err != nil {
		w.t.Fatal(err)
	}
	if err := warehouse.Close(); err != nil {
		w.t.Fatal(err)
	}
}

// night writes the record of a run that read everything, and failed in one division.
func (w *world) night(divisions int, streams []string) {
	w.t.Helper()
	record, err := runs.Create(w.records(), runs.Record{ID: runID(w.clock.time()), Pipeline: "nightly", Started: w.clock.time()})
	if err != nil {
		w.t.Fatal(err)
	}
	for d := range divisions {
		for _, name := range streams {
			s := runs.Stream{Stream: name, Scope: string(officeScope(d)), Mode: "merge", Status: "done", Pages: 1, Calls: 1, Rows: 12, Updated: 3, Started: w.clock.time(), Ended: w.clock.time()}
			if d == divisions/2 {
				s.Status, s.Error = "failed", "GET sync/crm/Accounts (100250): 500 Internal Server Error"
			}
			if err := record.Stream(s); err != nil {
				w.t.Fatal(err)
			}
		}
	}
	if _, err := record.End(runs.Record{Status: "partial", ExitCode: exitPartial, Calls: divisions * len(streams), Ended: w.clock.time().Add(time.Hour), Message: "60 streams failed"}); err != nil {
		w.t.Fatal(err)
	}
}

// The page of an accountant's office is written in a moment, its facts gathered included, and is no longer
// than people read.
func TestPageOfAnOffice(t *testing.T) {
	t.Parallel()
	divisions := rounds(25, 500)
	w := newManyBooks(t, divisions, 60)
	handler := w.site().Handler()
	ask := func(path string) (string, time.Duration) {
		t.Helper()
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, nil)
		r.RemoteAddr, r.Host = "127.0.0.1:1", "localhost"
		answer, began := httptest.NewRecorder(), time.Now()
		handler.ServeHTTP(answer, r)
		took := time.Since(began)
		if answer.Code != http.StatusOK {
			t.Fatalf("%s answers %d: %s", path, answer.Code, answer.Body)
		}
		return answer.Body.String(), took
	}
	for _, path := range []string{"/", "/pipelines/nightly", "/pipelines/nightly/streams"} {
		text, first := ask(path)
		if len(text) > 150_000 {
			t.Errorf("%s has %d bytes", path, len(text))
		}
		if worst := fmt.Sprint(100000 + divisions/2); !strings.Contains(text, worst) {
			t.Errorf("%s does not show %s, where all failed", path, worst)
		}
		var clock, work []time.Duration
		for range 21 {
			w.clock.advance(time.Second)
			before := worked(t)
			_, took := ask(path)
			clock, work = append(clock, took), append(work, worked(t)-before)
		}
		slices.Sort(clock)
		slices.Sort(work)
		t.Logf("%s: the first in %v, then %v by the clock and %v of work, %d bytes", path, first.Round(time.Millisecond),
			clock[10].Round(100*time.Microsecond), work[10].Round(100*time.Microsecond), len(text))
		if long() && work[10] > 50*time.Millisecond { // by the clock it is up to who else works on the machine
			t.Errorf("%s takes %v", path, work[10])
		}
	}
	w.statusIsBounded()
}

// worked is how long processors have worked for this process, all of them together.
func worked(t *testing.T) time.Duration {
	t.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// statusIsBounded holds what status prints of the office to a screen or two.
func (w *world) statusIsBounded() {
	w.t.Helper()
	s, err := w.standing(w.t.Context(), []*config.Pipeline{w.pipeline()})
	if err != nil {
		w.t.Fatal(err)
	}
	var out strings.Builder
	s.print(&out)
	if lines := strings.Count(out.String(), "\n"); lines > 120 {
		w.t.Errorf("status prints %d lines", lines)
	}
	for _, part := range []string{"nightly: last run", "next run in", "failed", "--output json has them all"} {
		if !strings.Contains(out.String(), part) {
			w.t.Errorf("status lacks %q:\n%s", part, &out)
		}
	}
}
