package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// chromium is a browser, with one page open, driven through the pipe that its developer tools offer.
type chromium struct {
	t       *testing.T
	to      io.Writer
	answers chan answered
	session string
	number  int
	told    []string // by the console and by what the policy of the page forbids
}

type answered struct {
	ID     int             `json:"id"`
	Method string          `json:"method"`
	Params json.RawMessage `json:"params"`
	Result json.RawMessage `json:"result"`
	Error  *struct {
		Message string `json:"message"`
	} `json:"error"`
}

// patience is for how long a browser may take for anything; this machine may be busy.
const patience = time.Minute

// newChromium starts the browser of the machine; without one the test is skipped.
func newChromium(t *testing.T) *chromium {
	t.Helper()
	var path string
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome", "google-chrome-stable"} {
		if found, err := exec.LookPath(name); err == nil {
			path = found
			break
		}
	}
	if path == "" {
		t.Skip("there is no Chromium on this machine: apt-get install chromium")
	}
	in, to, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	from, out, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	profile, err := os.MkdirTemp("", "exactduck-chromium") //nolint:usetesting // it may be written to after the test
	if err != nil {
		t.Fatal(err)
	}
	c := exec.CommandContext(context.WithoutCancel(t.Context()), path, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars",
		"--no-first-run", "--user-data-dir="+profile, "--remote-debugging-pipe", "about:blank")
	c.ExtraFiles = []*os.File{in, out}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	in.Close()
	out.Close()
	b := &chromium{t: t, to: to, answers: make(chan answered, 1000)}
	go b.listen(from)
	t.Cleanup(func() {
		_, _ = io.WriteString(to, `{"id":0,"method":"Browser.close"}`+"\x00")
		_ = c.Wait() // how it ended is of no interest
		to.Close()
		from.Close()
		_ = os.RemoveAll(profile) // what it writes on its way out stays
	})
	b.open()
	return b
}

func (b *chromium) listen(from io.Reader) {
	defer close(b.answers)
	lines := bufio.NewReader(from)
	for {
		text, err := lines.ReadBytes(0)
		if err != nil {
			return
		}
		var a answered
		if json.Unmarshal(bytes.TrimSuffix(text, []byte{0}), &a) == nil {
			b.answers <- a
		}
	}
}

func (b *chromium) open() {
	b.t.Helper()
	var target struct {
		ID string `json:"targetId"`
	}
	b.call("Target.createTarget", map[string]any{"url": "about:blank"}, &target)
	var session struct {
		ID string `json:"sessionId"`
	}
	b.call("Target.attachToTarget", map[string]any{"targetId": target.ID, "flatten": true}, &session)
	b.session = session.ID
	for _, domain := range []string{"Page", "Runtime", "Log"} {
		b.call(domain+".enable", nil, nil)
	}
}

// call gives one order and waits until it is carried out.
func (b *chromium) call(method string, params, result any) {
	b.t.Helper()
	b.number++
	order := map[string]any{"id": b.number, "method": method}
	if params != nil {
		order["params"] = params
	}
	if b.session != "" && !strings.HasPrefix(method, "Browser.") {
		order["sessionId"] = b.session
	}
	text, err := json.Marshal(order)
	if err != nil {
		b.t.Fatal(err)
	}
	if _, err := b.to.Write(append(text, 0)); err != nil {
		b.t.Fatal(err)
	}
	a := b.wait(func(a answered) bool { return a.ID == b.number }, method)
	if a.Error != nil {
		b.t.Fatalf("%s: %s", method, a.Error.Message)
	}
	if result != nil {
		if err := json.Unmarshal(a.Result, result); err != nil {
			b.t.Fatalf("%s: %v", method, err)
		}
	}
}

func (b *chromium) wait(is func(answered) bool, what string) answered {
	b.t.Helper()
	late := time.After(patience)
	for {
		select {
		case a, open := <-b.answers:
			if !open {
				b.t.Fatalf("the browser is gone, before %s", what)
			}
			if (a.Method == "Log.entryAdded" || a.Method == "Runtime.exceptionThrown") && !bytes.Contains(a.Params, []byte("404 (Not Found)")) {
				b.told = append(b.told, string(a.Params))
			}
			if is(a) {
				return a
			}
		case <-late:
			b.t.Fatalf("the browser has not done %s in %v", what, patience)
		}
	}
}

// visit opens an address.
func (b *chromium) visit(url string) {
	b.t.Helper()
	b.call("Page.navigate", map[string]any{"url": url}, nil)
	b.loaded()
}

func (b *chromium) loaded() {
	b.t.Helper()
	b.wait(func(a answered) bool { return a.Method == "Page.loadEventFired" }, "loading a page")
}

// eval is the value of an expression on the page.
func (b *chromium) eval(expression string, value any) {
	b.t.Helper()
	var result struct {
		Result struct {
			Value json.RawMessage `json:"value"`
		} `json:"result"`
		Exception *struct {
			Text string `json:"text"`
		} `json:"exceptionDetails"`
	}
	b.call("Runtime.evaluate", map[string]any{"expression": expression, "returnByValue": true}, &result)
	if result.Exception != nil {
		b.t.Fatalf("%s: %s", expression, result.Exception.Text)
	}
	if err := json.Unmarshal(result.Result.Value, value); err != nil {
		b.t.Fatalf("%s: %v: %s", expression, err, result.Result.Value)
	}
}

func (b *chromium) text() (text string) {
	b.t.Helper()
	b.eval("document.body.innerText", &text)
	return text
}

// shows expects words on the page.
func (b *chromium) shows(parts ...string) {
	b.t.Helper()
	text := b.text()
	for _, part := range parts {
		if !strings.Contains(text, part) {
			b.t.Errorf("the page does not show %q:\n%s", part, text)
		}
	}
}

// click clicks with the mouse on the first element that a selector finds and whose words begin so, and
// waits for the page that comes of it.
func (b *chromium) click(selector, words string) {
	b.t.Helper()
	var at []float64
	b.eval(fmt.Sprintf(`(() => {
		const e = [...document.querySelectorAll(%q)].find(e => e.innerText.startsWith(%q));
		if (!e) return [];
		e.scrollIntoView({block: "center", behavior: "instant"});
		const r = e.getClientRects()[0];
		return [r.x + r.width / 2, r.y + r.height / 2];
	})()`, selector, words), &at)
	if len(at) != 2 {
		b.t.Fatalf("there is no %s %q on the page:\n%s", selector, words, b.text())
	}
	for _, kind := range []string{"mousePressed", "mouseReleased"} {
		b.call("Input.dispatchMouseEvent", map[string]any{"type": kind, "x": at[0], "y": at[1], "button": "left", "clickCount": 1}, nil)
	}
	b.loaded()
}

// as looks at the page in a width, light or dark.
func (b *chromium) as(width int, scheme string) {
	b.t.Helper()
	b.call("Emulation.setDeviceMetricsOverride", map[string]any{"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": false}, nil)
	b.call("Emulation.setEmulatedMedia", map[string]any{"features": []map[string]string{{"name": "prefers-color-scheme", "value": scheme}}}, nil)
}

// picture keeps a picture of the whole page where EXACTDUCK_PICTURES says.
func (b *chromium) picture(name string) {
	b.t.Helper()
	dir := os.Getenv("EXACTDUCK_PICTURES")
	if dir == "" {
		return
	}
	var shot struct {
		Data string `json:"data"`
	}
	b.call("Page.captureScreenshot", map[string]any{"captureBeyondViewport": true}, &shot)
	picture, err := base64.StdEncoding.DecodeString(shot.Data)
	if err != nil {
		b.t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, name+".png"), picture, 0o600); err != nil {
		b.t.Fatal(err)
	}
}
