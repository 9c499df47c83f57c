package page

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"html/template"
	"io/fs"
	"net/http"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"
)

//go:embed html
var files embed.FS

// asset is a file that pages refer to, by a name that changes with what is in it.
type asset struct {
	kind string
	text []byte
}

var (
	assets    = loadAssets()
	templates = template.Must(template.New("").Funcs(template.FuncMap{
		"when": when, "ago": age, "until": age, "number": number, "state": state, "took": took, "bars": bars, "asset": assetURL,
		"plural": plural, "words": words, "clock": clockOf, "level": logLevel,
		"place": placeWord, "heading": heading, "whole": whole, "given": given, "peak": peak, "stream": streamName,
	}).ParseFS(files, "html/*.html"))
)

func loadAssets() map[string]asset {
	all := map[string]asset{}
	for name, kind := range map[string]string{"style.css": "text/css; charset=utf-8", "duck.svg": "image/svg+xml"} {
		text, err := fs.ReadFile(files, "html/"+name)
		if err != nil {
			panic(err) // it is embedded
		}
		all[name] = asset{kind, text}
	}
	return all
}

func assetURL(name string) string {
	sum := sha256.Sum256(assets[name].text)
	return "/assets/" + hex.EncodeToString(sum[:6]) + "/" + name
}

func (h *server) serveAssets(mux *http.ServeMux) {
	for name, a := range assets {
		mux.HandleFunc("GET "+assetURL(name), func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", a.kind)
			w.Header().Set("Cache-Control", "private, max-age=31536000, immutable")
			_, _ = w.Write(a.text) // who has gone needs no answer
		})
	}
}

// frame is what all pages have.
type frame struct {
	Title   string
	Here    string // which entry of the navigation this is
	Now     time.Time
	Token   string
	Version string
	Refresh int    // seconds after which the browser loads the page again; 0: never
	Said    string // what a button has done
	JSON    string // where the same facts are for programs
}

func (h *server) frame(title, here string) frame {
	return frame{Title: title, Here: here, Now: h.Clock(), Token: h.token, Version: h.Version}
}

// show writes a page once it is complete, so that nobody sees half of one.
func (h *server) show(w http.ResponseWriter, status int, name string, view any) error {
	var page bytes.Buffer
	if err := templates.ExecuteTemplate(&page, name, view); err != nil {
		return fmt.Errorf("write the page %s: %w", name, err)
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Length", strconv.Itoa(page.Len()))
	w.WriteHeader(status)
	_, _ = w.Write(page.Bytes()) // who has gone needs no answer
	return nil
}

// fail shows what went wrong.
func (h *server) fail(w http.ResponseWriter, r *http.Request, status int, what, why string) {
	if strings.HasPrefix(path.Clean(r.URL.Path), "/api/") {
		http.Error(w, strings.TrimSuffix(what+": "+why, ": "), status)
		return
	}
	view := struct {
		frame
		Why string
	}{h.frame(what, ""), why}
	if err := h.show(w, status, "fail.html", view); err != nil {
		http.Error(w, what, status)
	}
}

// when says when something was or will be, by the clocks of a zone, and how far that is.
func when(now time.Time, zone *time.Location, t time.Time) template.HTML {
	if t.IsZero() {
		return "never"
	}
	return stamp(zone, t) + template.HTML(` <span class="far">`+template.HTMLEscapeString(far(now, t))+`</span>`)
}

// age is the same in fewer words.
func age(now time.Time, zone *time.Location, t time.Time) template.HTML {
	if t.IsZero() {
		return "never"
	}
	return element(zone, t, far(now, t))
}

func stamp(zone *time.Location, t time.Time) template.HTML {
	return element(zone, t, inZone(zone, t).Format("Mon 2 Jan, 15:04"))
}

func element(zone *time.Location, t time.Time, text string) template.HTML {
	full := inZone(zone, t).Format("Monday 2 January 2006, 15:04:05 MST")
	return template.HTML(fmt.Sprintf(`<time datetime="%s" title="%s">%s</time>`, t.UTC().Format(time.RFC3339), //nolint:gosec // escaped
		template.HTMLEscapeString(full), template.HTMLEscapeString(text)))
}

func inZone(zone *time.Location, t time.Time) time.Time {
	if zone == nil {
		zone = time.UTC
	}
	return t.In(zone)
}

func clockOf(zone *time.Location, t time.Time) string { return inZone(zone, t).Format("15:04:05") }

// far says how far a moment is, as people do.
func far(now, t time.Time) string {
	d := now.Sub(t)
	text := roughly(max(d, -d))
	switch {
	case text == "":
		return "just now"
	case d < 0:
		return "in " + text
	}
	return text + " ago"
}

func roughly(d time.Duration) string {
	switch {
	case d < time.Minute:
		return ""
	case d < time.Hour:
		return fmt.Sprintf("%d min", d/time.Minute)
	case d < 48*time.Hour:
		return fmt.Sprintf("%d h", d/time.Hour)
	}
	return fmt.Sprintf("%d days", d/(24*time.Hour))
}

// took is how long a run has taken so far.
func took(now time.Time, r Run) string {
	end := r.Ended
	if end.IsZero() {
		if !r.Running() {
			return "nobody knows how long"
		}
		end = now
	}
	switch d := end.Sub(r.Started).Round(time.Second); {
	case d < time.Second:
		return "less than a second"
	case d < time.Minute:
		return fmt.Sprintf("%d s", d/time.Second)
	case d < time.Hour:
		return fmt.Sprintf("%d min %d s", d/time.Minute, d%time.Minute/time.Second)
	default:
		return fmt.Sprintf("%d h %d min", d/time.Hour, d%time.Hour/time.Minute)
	}
}

// number sets the digits of a number in groups of three.
func number(v any) string {
	text := fmt.Sprint(v)
	sign := ""
	if strings.HasPrefix(text, "-") {
		sign, text = "−", text[1:]
	}
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "\u202f" + text[i:]
	}
	return sign + text
}

func plural(n any, thing string) string {
	if fmt.Sprint(n) == "1" {
		return "1 " + thing
	}
	return number(n) + " " + thing + "s"
}

func words(status string) string { return strings.ReplaceAll(status, "_", " ") }

// state is a status as a word with a sign, so that nobody has to tell colours apart.
func state(status string) template.HTML {
	sign, class := "•", "plain"
	switch status {
	case "done", "fresh":
		sign, class = "✓", "good"
	case "running", "reading", "read":
		sign, class = "▸", "busy"
	case "partial", "postponed", "interrupted", "killed", "paused", "due", "waiting":
		sign, class = "–", "warn"
	case "failed", "forbidden", "suspect_shrink", "stale":
		sign, class = "✕", "bad"
	}
	return template.HTML(fmt.Sprintf(`<span class="state %s"><span aria-hidden="true">%s</span> %s</span>`, class, sign, //nolint:gosec // escaped
		template.HTMLEscapeString(words(status))))
}

// streamName lets a name break behind its slashes.
func streamName(name string) template.HTML {
	return template.HTML(strings.ReplaceAll(template.HTMLEscapeString(name), "/", "/<wbr>")) //nolint:gosec // escaped
}

// given puts names to what a part of a page is given.
// placeWord is what the source calls divisions.
func placeWord(word string) string { return cmp.Or(word, "division") }

// heading is the same at the head of a column.
func heading(word string) string {
	word = placeWord(word)
	return strings.ToUpper(word[:1]) + word[1:]
}

// whole is the code of a division, or a word where something belongs to none.
func whole(scope string) string {
	if scope == "0" {
		return "connection"
	}
	return scope
}

// QuotaPlaces is what those with calls are called: "division or account".
func (o Overview) QuotaPlaces() string {
	var all []string
	for _, q := range o.Quota {
		all = append(all, placeWord(q.Place))
	}
	slices.Sort(all)
	all = slices.Compact(all)
	slices.Reverse(all)
	return strings.Join(all, " or ")
}

func given(pairs ...any) map[string]any {
	all := make(map[string]any, len(pairs)/2)
	for i := 0; i+1 < len(pairs); i += 2 {
		all[fmt.Sprint(pairs[i])] = pairs[i+1]
	}
	return all
}

// LeftNow is how many calls are left, where that is known.
func (q Quota) LeftNow() int {
	if q.Left == nil {
		return 0
	}
	return *q.Left
}

// Low is from where on downwards few calls are left.
func (q Quota) Low() int { return q.Limit / 10 }
