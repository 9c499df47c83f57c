package alert

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

func problemOf(t *testing.T, err error) string {
	t.Helper()
	if err == nil {
		return ""
	}
	u, ok := errors.AsType[*Undelivered](err)
	if !ok || strings.Contains(err.Error(), secret) || strings.Contains(err.Error(), "127.0.0.1") {
		t.Errorf("the error is %v", err)
	}
	return u.Problem
}

func TestReceiversThatMisbehave(t *testing.T) {
	elsewhere := newOffice(t)
	closed, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	check(t, err)
	check(t, closed.Close())
	plain := newOffice(t)
	private := httptest.NewTLSServer(http.NotFoundHandler())
	t.Cleanup(private.Close)
	private.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, 0)
	for _, test := range []struct {
		name    string
		address string
		does    http.HandlerFunc
		want    string
	}{
		{name: "refuses", does: func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(403) }, want: "it answered 403"},
		{name: "leads elsewhere", does: func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, elsewhere.URL+"/"+secret, http.StatusTemporaryRedirect)
		}, want: "it leads on to another address"},
		{name: "would lose the message", does: func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "/other", http.StatusFound)
		}, want: "it leads on to another address"},
		{name: "leads in circles", does: func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, r.URL.Path, http.StatusTemporaryRedirect)
		}, want: "it leads on in circles"},
		{name: "hangs", does: func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, want: "it did not answer within 300ms"},
		{name: "hangs up", does: func(w http.ResponseWriter, _ *http.Request) {
			c, _, err := http.NewResponseController(w).Hijack()
			if err == nil {
				_ = c.Close()
			}
		}, want: "it could not be reached, or hung up"},
		{name: "never stops talking", does: func(w http.ResponseWriter, r *http.Request) {
			for r.Context().Err() == nil {
				if _, err := w.Write(make([]byte, 1<<16)); err != nil {
					return
				}
			}
		}, want: ""},
		{name: "is not there", address: "http://" + closed.Addr().String() + "/" + secret, want: "it refuses connections"},
		{name: "has a certificate of its own", address: private.URL + "/" + secret, want: "its certificate is not to be trusted"},
		{name: "speaks no TLS", address: strings.Replace(plain.URL, "http", "https", 1) + "/" + secret, want: "it does not speak TLS"},
	} {
		t.Run(test.name, func(t *testing.T) {
			o := newOffice(t)
			o.do(test.does)
			if test.name == "hangs" {
				o.hurry = 300 * time.Millisecond
			}
			r := o.receiver()
			if test.address != "" {
				r.Webhook = test.address
			}
			o.open(r)
			if got := problemOf(t, o.tell(failing())); got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
	if elsewhere.asked() != 0 {
		t.Error("a message went to another host")
	}
}

// Errors of the library quote addresses, in which secrets are.
func TestErrorsOfTheLibraryAreNotQuoted(t *testing.T) {
	for want, err := range map[string]error{
		"its name is not known":               &net.DNSError{Err: "no such host", Name: secret, IsNotFound: true},
		"it did not answer within 0s":         &net.DNSError{Err: "slow", Name: secret, IsTimeout: true},
		"it could not be reached, or hung up": errors.New("proxy " + secret),
		"it refuses connections":              &net.OpError{Op: "dial", Err: os.NewSyscallError("connect", syscall.ECONNREFUSED)},
	} {
		wrapped := &url.Error{Op: "Post", URL: "https://" + secret, Err: err}
		if got := new(Desk).unanswered(wrapped).Error(); got != want {
			t.Errorf("%v: got %q", err, got)
		}
	}
}

func TestLeadsOnWithinTheHost(t *testing.T) {
	o := newOffice(t)
	o.do(func(w http.ResponseWriter, r *http.Request) {
		o.do(nil)
		http.Redirect(w, r, "/moved", http.StatusPermanentRedirect)
	})
	check(t, o.tell(failing()))
	o.told("problem failure 5")
}

func TestShapes(t *testing.T) {
	o := newOffice(t)
	wild := Condition{
		Kind: Partial, Pipeline: "nightly", Subject: "x", Message: `<!channel> & "Bäckerei" *bold* [a](http://b)`, Hint: "exactduck status", Count: 3,
	}
	for _, as := range []Shape{Generic, Slack, Teams} {
		r := o.receiver()
		r.Name, r.As = string(as), as
		o.open(r)
		check(t, o.tell(wild))
	}
	var generic, slack, teams map[string]any
	for i, to := range []*map[string]any{&generic, &slack, &teams} {
		check(t, json.Unmarshal(o.raw[i], to))
	}
	if generic["version"] != 1.0 || generic["message"] != wild.Message || generic["hint"] != wild.Hint || generic["status"] != "problem" ||
		generic["count"] != 3.0 || generic["from"] != "books" || generic["id"] == "" || generic["since"] != "2026-11-21T04:00:00Z" {
		t.Errorf("generic is %v", generic)
	}
	text := fmt.Sprint(slack["text"])
	if strings.Contains(text, "<!") || !strings.Contains(text, "&lt;!channel&gt; &amp;") {
		t.Errorf("slack can be made to shout: %s", text)
	}
	if block := fmt.Sprint(slack["blocks"]); !strings.Contains(block, "plain_text") || strings.Contains(block, "mrkdwn") || !strings.Contains(block, fmt.Sprint(generic["id"])) {
		t.Errorf("blocks are %s", block)
	}
	card := teams["attachments"].([]any)[0].(map[string]any)
	content := card["content"].(map[string]any)
	if teams["type"] != "message" || card["contentType"] != "application/vnd.microsoft.card.adaptive" || content["type"] != "AdaptiveCard" {
		t.Errorf("teams gets %v", teams)
	}
	if body := fmt.Sprint(content["body"]); strings.Contains(body, "TextBlock ") || strings.Count(body, "TextRun") != 3 {
		t.Errorf("the card is %s", body)
	}
}

func script(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "told")
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+text), 0o700); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestCommands(t *testing.T) {
	into := filepath.Join(t.TempDir(), "message.json")
	for _, test := range []struct{ name, text, want string }{
		{"takes it", "cat > " + into, ""},
		{"does not listen", "exit 0", ""},
		{"fails", "echo " + secret + " >&2; exit 7", "its command ended with 7"},
		{"is killed", "kill -9 $$", "its command was ended by a signal"},
		{"hangs", "exec sleep 60", "its command took longer than 300ms"},
	} {
		t.Run(test.name, func(t *testing.T) {
			o := newOffice(t)
			if test.name == "hangs" {
				o.hurry = 300 * time.Millisecond
			}
			o.open(Receiver{Name: "program", Command: []string{script(t, test.text), secret}})
			if got := problemOf(t, o.tell(failing())); got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
	var m message
	text, err := os.ReadFile(into)
	if err == nil {
		err = json.Unmarshal(text, &m)
	}
	if err != nil || m.Kind != Failure || m.From != "books" {
		t.Errorf("the program got %s, %v", text, err)
	}
	o := newOffice(t)
	o.open(Receiver{Name: "program", Command: []string{"/nowhere/" + secret}})
	if got := problemOf(t, o.tell(failing())); got != "its command cannot be started" {
		t.Errorf("got %q", got)
	}
}

// What a command has started ends with it, whether it ended by itself or not.
func TestCommandsLeaveNothingBehind(t *testing.T) {
	for _, end := range []string{"exit 0", "sleep 60"} {
		o := newOffice(t)
		o.hurry = 2 * time.Second
		pid := filepath.Join(t.TempDir(), "pid")
		o.open(Receiver{Name: "program", Command: []string{script(t, "sleep 60 & echo $! > "+pid+"\n"+end)}})
		_ = o.tell(failing())
		text, err := os.ReadFile(pid)
		check(t, err)
		left, err := strconv.Atoi(strings.TrimSpace(string(text)))
		check(t, err)
		deadline, stop := context.WithTimeout(t.Context(), 5*time.Second)
		for running(left) && deadline.Err() == nil {
			<-time.After(time.Millisecond)
		}
		if stop(); running(left) {
			t.Errorf("after %q process %d is left", end, left)
		}
	}
}

// running reports a process that is there and no zombie.
func running(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return !errors.Is(err, os.ErrNotExist) || syscall.Kill(pid, 0) == nil && !exists("/proc/self")
	}
	_, rest, _ := strings.Cut(string(stat), ") ")
	return !strings.HasPrefix(rest, "Z")
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

func TestTrial(t *testing.T) {
	o := newOffice(t)
	o.do(nil)
	broken := newOffice(t)
	broken.do(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(500) })
	b := broken.receiver()
	b.Name = "broken"
	o.open(o.receiver(), b, Receiver{Name: "ping", Ping: o.URL + "/" + secret})
	tried := o.desk.Try(t.Context())
	if len(tried) != 3 || tried[0].Problem != "" || tried[1].Problem != "it answered 500" || tried[2] != (Tried{Receiver: "ping"}) {
		t.Errorf("tried %+v", tried)
	}
	if _, err := os.Stat(o.dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a trial is remembered: %v", err)
	}
}

// died is what stands for a kill at a record of the log.
type died struct{}

// killer is a log that ends the work at one record.
type killer struct {
	at, seen *int
}

func (killer) Enabled(context.Context, slog.Level) bool { return true }
func (k killer) WithAttrs([]slog.Attr) slog.Handler     { return k }
func (k killer) WithGroup(string) slog.Handler          { return k }
func (k killer) Handle(context.Context, slog.Record) error {
	if *k.seen++; *k.seen == *k.at {
		panic(died{})
	}
	return nil
}

// Wherever a process dies, the receiver is told, and told twice only under the same id.
func TestKilledAtEveryStep(t *testing.T) {
	conditions := []Condition{failing(), {Kind: Stale, Pipeline: "nightly", Message: "old"}}
	doubles := 0
	for at := 1; ; at++ {
		o := newOffice(t)
		seen := 0
		options := o.options(o.receiver())
		options.Log = slog.New(killer{&at, &seen})
		d := Open(options)
		died := func() (dead bool) {
			defer func() { dead = recover() != nil }()
			// without the goroutines of Tell: a panic in one would be ours
			_ = d.tell(t.Context(), &d.o.Receivers[0], &Report{At: o.now, Conditions: conditions, Settled: nightly})
			return false
		}()
		o.later(time.Minute)
		check(t, o.tell(conditions...))
		ids := map[string]int{}
		for _, m := range o.got {
			ids[m.ID]++
		}
		if len(ids) != 2 {
			t.Errorf("killed at %d: told %v", at, ids)
		}
		doubles += len(o.got) - len(ids)
		o.got = nil
		if !died {
			if seen < 6 {
				t.Errorf("only %d steps are told", seen)
			}
			break
		}
	}
	if doubles == 0 || doubles > 2 {
		t.Errorf("%d doubles, want one for each message, of the kill before the note", doubles)
	}
}
