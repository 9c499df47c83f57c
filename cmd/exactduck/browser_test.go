package main

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"exactduck/cmd/exactduck/config"
	"exactduck/cmd/exactduck/schedule"
	"exactduck/extract/sandbox"
)

// A person looks at the page with a browser and uses its buttons.
func TestPageInABrowser(t *testing.T) {
	t.Parallel()
	b := newChromium(t)
	const streams = "      - {stream: crm/Accounts, max_age: 36h}\n      - crm/Contacts\n      - financial/GLAccounts"
	w := newWorld(t, t.TempDir(), streams, sandbox.Options{Divisions: 2})
	w.pipelineLines += "    schedule: '15 4 * * *'\n"
	w.reconfigure(streams)
	run := w.lived()
	s := w.shows()

	b.visit(s.URL + "/")
	b.shows("All is well.", "Next is nightly", "8 streams", "logged in")
	b.readable(s, "well", "/", "/pipelines/nightly", "/pipelines/nightly/streams", "/runs", "/runs/"+run, "/nothing")

	b.visit(s.URL + "/")
	b.click("section a", "Sat 21 Nov, 04:00")
	b.shows("Run of nightly", "crm/Accounts", run, "run begins", "a stream was read")
	b.click("nav a", "Overview")
	b.click("button", "Pause")
	b.shows("nightly is paused", "Nothing needs you.", "exactduck schedule resume nightly")
	if !w.planned().Paused {
		t.Error("nightly is not paused")
	}
	b.click("button", "Resume")
	b.shows("nightly is resumed")
	b.click("button", "Run now")
	b.shows("A run of nightly was asked for", "starts as soon as it can")
	if how := w.planned(); how.Paused || how.Requested.IsZero() {
		t.Errorf("after the buttons it is %+v", how)
	}

	w.clock.advance(25 * 24 * time.Hour)
	b.visit(s.URL + "/")
	b.shows("things need you.", "The login of books lapses in 4 days unless it is used", "exactduck auth refresh", "streams of nightly are older than max_age allows")
	b.readable(s, "unwell", "/", "/pipelines/nightly", "/pipelines/nightly/streams")
	w.clock.advance(10 * 24 * time.Hour)
	b.visit(s.URL + "/")
	b.shows("Somebody must log in as books", "exactduck auth login")
	for _, said := range b.told {
		t.Errorf("the browser complains: %s", said)
	}
}

func (w *world) planned() schedule.Standing {
	w.t.Helper()
	all, err := w.schedules([]*config.Pipeline{w.pipeline()}, nil)
	if err != nil {
		w.t.Fatal(err)
	}
	return all[0]
}

// lived is a fortnight of nights with changes, the last of them with a log.
func (w *world) lived() (last string) {
	w.t.Helper()
	end := w.clock.time()
	w.clock.advance(-12 * 24 * time.Hour)
	for night := range 13 {
		if night > 0 {
			if err := w.sandbox.Change(sandbox.Change{Entity: "crm/Accounts", Insert: night * 3 % 7, Update: night * 5 % 11}); err != nil {
				w.t.Fatal(err)
			}
		}
		if night == 7 {
			_ = w.broken(syncOptions{}, sandbox.Fault{Path: "sync/CRM/Contacts", Nth: 1, Times: -1, Kind: sandbox.ServerError})
		} else {
			last = w.run(syncOptions{}).ID
		}
		w.clock.mu.Lock()
		w.clock.now = end.Add(time.Duration(night-11) * 24 * time.Hour)
		w.clock.mu.Unlock()
	}
	w.clock.mu.Lock()
	w.clock.now = end.Add(5 * time.Hour)
	w.clock.mu.Unlock()
	if err := os.MkdirAll(w.logs(), 0o700); err != nil {
		w.t.Fatal(err)
	}
	log := fmt.Sprintf(`{"time":"2026-11-21T03:00:00Z","level":"INFO","msg":"run begins","run_id":%q,"pipeline":"nightly"}
{"time":"2026-11-21T03:00:01Z","level":"INFO","msg":"a stream was read","stream":"crm/Accounts","scope":"123456","rows":12}
{"time":"2026-11-21T03:00:02Z","level":"WARN","msg":"the service's clock is in another time zone than configured"}
{"time":"2026-11-21T03:00:03Z","level":"INFO","msg":"run ended","status":"done","calls":8}
`, last)
	if err := os.WriteFile(filepath.Join(w.logs(), last+".log"), []byte(log), 0o600); err != nil {
		w.t.Fatal(err)
	}
	return last
}

// readable looks at pages on telephones and desks, in the light and in the dark: nothing sticks out, and
// all words stand out enough from what they are written on.
func (b *chromium) readable(s *shown, name string, paths ...string) {
	b.t.Helper()
	for i, path := range paths {
		for _, width := range []int{360, 1280} {
			schemes := []string{"light", "dark"}
			if !long() {
				schemes = schemes[(i+width/1280)%2:][:1] // each page and each width has its turn with each
			}
			for _, scheme := range schemes {
				b.as(width, scheme)
				b.visit(s.URL + path)
				var wide int
				b.eval("document.documentElement.scrollWidth", &wide)
				if wide > width {
					b.t.Errorf("%s is %d wide on a screen of %d", path, wide, width)
				}
				var faint []string
				b.eval(faintWords, &faint)
				if len(faint) > 0 {
					b.t.Errorf("%s, %s: hard to read: %q", path, scheme, faint)
				}
				b.picture(fmt.Sprintf("%s-%d-%d-%s", name, i, width, scheme))
			}
		}
	}
	b.as(1280, "light")
}

// faintWords are the words whose contrast is less than 4.5 to 1.
const faintWords = `(() => {
	const parts = c => { const m = c.match(/[\d.]+/g).map(Number); return m.length < 4 ? [...m, 1] : m };
	const light = c => { const [r, g, b] = c.map(v => (v /= 255) <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
		return 0.2126 * r + 0.7152 * g + 0.0722 * b };
	const faint = new Set();
	for (const e of document.querySelectorAll("body *")) {
		if (![...e.childNodes].some(n => n.nodeType == 3 && n.textContent.trim()) || e.closest("svg, .skip, .unseen")) continue;
		let on = e;
		while (on && parts(getComputedStyle(on).backgroundColor)[3] == 0) on = on.parentElement;
		const a = light(parts(getComputedStyle(e).color).slice(0, 3)), b = light(parts(getComputedStyle(on || document.body).backgroundColor).slice(0, 3));
		if ((Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05) < 4.5) faint.add(e.tagName + "." + e.className + " " + e.innerText.slice(0, 40));
	}
	return [...faint];
})()`
