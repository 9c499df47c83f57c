package extract

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"exactduck/extract/ledger"
)

// What a child process of these tests is told: the ledger's folder and the vendor's address.
const childDir, childURL = "EXACTDUCK_TEST_LEDGER", "EXACTDUCK_TEST_VENDOR"

func TestMain(m *testing.M) {
	if dir := os.Getenv(childDir); dir != "" {
		os.Exit(childCalls(dir, os.Getenv(childURL)))
	}
	os.Exit(m.Run())
}

// childCalls makes three calls to one endpoint and says how each ended.
func childCalls(dir, address string) int {
	client := &http.Client{Transport: stubborn{Wire(nil)}}
	c, err := NewCaller(Options{Base: address, Client: client, Ledger: ledger.New(dir, nil), Backoff: time.Millisecond})
	if err != nil {
		return 1
	}
	for range 3 {
		_, err := c.Get(context.Background(), "123", "crm/Accounts", address+"/api/v1/123/crm/Accounts")
		_, refused := errors.AsType[*Refused](err)
		fmt.Fprintln(os.Stdout, refused, errors.Is(err, ErrBreaker))
	}
	return 0
}

// stubborn asks a second time when it is not authorized, as a login does.
type stubborn struct{ base http.RoundTripper }

func (s stubborn) RoundTrip(r *http.Request) (*http.Response, error) {
	response, err := s.base.RoundTrip(r)
	if err != nil || response.StatusCode != http.StatusUnauthorized {
		return response, err
	}
	_, _ = io.Copy(io.Discard, response.Body)
	_ = response.Body.Close()
	return s.base.RoundTrip(r)
}

// Ten short processes, one after another or all at once, never make an endpoint refuse more than half
// as often as the vendor allows. A login that asks twice is seen through.
func TestProcessesNeverTripTheVendorsBreaker(t *testing.T) {
	for _, status := range []int{400, 401, 403, 404} {
		for _, atOnce := range []bool{false, true} {
			t.Run(fmt.Sprintf("%d, at once %v", status, atOnce), func(t *testing.T) {
				var seen atomic.Int64
				server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
					seen.Add(1)
					w.WriteHeader(status)
				}))
				defer server.Close()
				dir := t.TempDir()
				var all sync.WaitGroup
				outs := make([]strings.Builder, 10)
				for i := range outs {
					run := func() {
						if err := caller(t, dir, server.URL, &outs[i]).Run(); err != nil {
							t.Error(err)
						}
					}
					if atOnce {
						all.Go(run)
					} else {
						run()
					}
				}
				all.Wait()
				n := seen.Load()
				if n > breakerRefusals {
					t.Errorf("the vendor refused %d times", n)
				}
				if status == 400 && n != breakerRefusals {
					t.Errorf("the vendor refused %d times, and may %d: what is parked is shown too early", n, breakerRefusals)
				}
				if !strings.Contains(outs[9].String(), "true") {
					t.Errorf("a process says %q", outs[9].String())
				}
			})
		}
	}
}

func caller(t *testing.T, dir, address string, out io.Writer) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	c := exec.CommandContext(t.Context(), self)
	c.Env = append(os.Environ(), childDir+"="+dir, childURL+"="+address)
	c.Stdout, c.Stderr = out, os.Stderr
	return c
}

// remembering is a log that keeps "LEVEL message".
func remembering(said *[]string) *slog.Logger { return slog.New(&memory{said: said}) }

type memory struct {
	mu   sync.Mutex
	said *[]string
}

func (*memory) Enabled(context.Context, slog.Level) bool { return true }
func (m *memory) WithAttrs([]slog.Attr) slog.Handler     { return m }
func (m *memory) WithGroup(string) slog.Handler          { return m }

func (m *memory) Handle(_ context.Context, r slog.Record) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	*m.said = append(*m.said, r.Level.String()+" "+r.Message)
	return nil
}
