package alert

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv("EXACTDUCK_TEST_DESK"); dir != "" {
		os.Exit(teller(dir))
	}
	os.Exit(m.Run())
}

// teller is another process: it tells the receiver at an address of what is wrong, again and again.
func teller(dir string) int {
	d := Open(Options{
		Dir: dir, Clock: time.Now, Log: slog.New(slog.DiscardHandler),
		Receivers: []Receiver{{Name: "office", Webhook: os.Getenv("EXACTDUCK_TEST_ADDRESS"), Repeat: time.Hour}},
	})
	for range 20 {
		if err := d.Tell(context.Background(), Report{At: time.Now(), Conditions: []Condition{failing()}, Settled: nightly}); err != nil {
			_, _ = io.WriteString(os.Stderr, err.Error())
			return 1
		}
	}
	return 0
}

func processOf(t *testing.T, dir, address string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	c := exec.CommandContext(t.Context(), self)
	c.Env = append(os.Environ(), "EXACTDUCK_TEST_DESK="+dir, "EXACTDUCK_TEST_ADDRESS="+address)
	return c
}

var nightly = []Area{{Kind: Failure, Pipeline: "nightly"}, {Kind: Partial, Pipeline: "nightly"}, {Kind: Stale, Pipeline: "nightly"}, {Kind: Drift, Pipeline: "nightly"}}

func failing() Condition {
	return Condition{Kind: Failure, Pipeline: "nightly", Subject: "5", Message: "the source cannot be reached", Hint: "run again later"}
}

// secret is a part of every address in these tests; it must never be seen anywhere.
const secret = "hush-T0-B0"

// office is a receiver on loopback, and a desk that tells it.
type office struct {
	t    *testing.T
	dir  string
	log  *strings.Builder
	mu   sync.Mutex
	got  []message
	raw  [][]byte
	now  time.Time
	does http.HandlerFunc // nil: it takes everything
	seen int
	// hurry is how long a delivery may take; zero: as long as it should.
	hurry time.Duration
	*httptest.Server
	desk *Desk
}

func newOffice(t *testing.T) *office {
	t.Helper()
	o := &office{t: t, dir: filepath.Join(t.TempDir(), "alerts"), now: time.Date(2026, 11, 21, 4, 0, 0, 0, time.UTC), log: &strings.Builder{}}
	o.Server = httptest.NewServer(o)
	t.Cleanup(o.Close)
	o.open(o.receiver())
	t.Cleanup(o.discreet)
	return o
}

func (o *office) receiver() Receiver {
	return Receiver{Name: "office", Webhook: o.URL + "/" + secret, Repeat: 24 * time.Hour}
}

func (o *office) options(all ...Receiver) Options {
	return Options{
		Dir: o.dir, Receivers: all, From: "books", AnswerWithin: o.hurry, CommandWithin: o.hurry,
		Clock: func() time.Time { return o.now }, Log: slog.New(slog.NewTextHandler(&locked{w: o.log}, &slog.HandlerOptions{Level: slog.LevelDebug})),
		Wait: func(_ context.Context, d time.Duration) error { o.now = o.now.Add(d); return nil },
	}
}

func (o *office) open(all ...Receiver) { o.desk = Open(o.options(all...)) }

type locked struct {
	mu sync.Mutex
	w  io.Writer
}

func (l *locked) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.w.Write(p)
}

func (o *office) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	o.mu.Lock()
	does := o.does
	o.seen++
	o.mu.Unlock()
	body, _ := io.ReadAll(r.Body)
	if does != nil {
		does(w, r)
		return
	}
	var m message
	_ = json.Unmarshal(body, &m)
	o.mu.Lock()
	defer o.mu.Unlock()
	o.got, o.raw = append(o.got, m), append(o.raw, body)
}

func (o *office) do(f http.HandlerFunc) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.does = f
}

func (o *office) asked() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.seen
}

// tell reports that these conditions, and no other, are there in the nightly pipeline.
func (o *office) tell(all ...Condition) error {
	return o.desk.Tell(o.t.Context(), Report{At: o.now, Conditions: all, Settled: nightly})
}

func (o *office) later(d time.Duration) { o.now = o.now.Add(d) }

// told are the messages since the last call, in short.
func (o *office) told(want ...string) {
	o.t.Helper()
	o.mu.Lock()
	defer o.mu.Unlock()
	var all []string
	for _, m := range o.got {
		all = append(all, string(m.Status)+" "+string(m.Kind)+" "+m.Subject)
	}
	if o.got = nil; !slices.Equal(all, want) {
		o.t.Errorf("told %q, want %q", all, want)
	}
}

// discreet fails the test when a secret is anywhere on disk or in the log.
func (o *office) discreet() {
	if strings.Contains(o.log.String(), secret) {
		o.t.Errorf("the log holds a secret:\n%s", o.log.String())
	}
	paths, _ := filepath.Glob(filepath.Join(o.dir, "*"))
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil || strings.Contains(string(text), secret) {
			o.t.Errorf("%s holds a secret: %v\n%s", path, err, text)
		}
	}
}
