package page

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// longestTail is how much of the end of a log is shown.
const longestTail = 64 << 10

// entry is one line of a log.
type entry struct {
	At      time.Time
	Level   string
	Message string
	Rest    string // what else the line says, as key=value
}

// tail is the end of a log.
type tail struct {
	Entries []entry
	Cut     bool // there is more before it
}

// tail reads the end of what a run has logged; empty when there is nothing.
func (h *server) tail(r *http.Request, id string) (t tail, err error) {
	log, err := h.RunLog(r.Context(), id)
	if errors.Is(err, ErrUnknown) {
		return tail{}, nil
	}
	if err != nil {
		return tail{}, err
	}
	defer log.Close()
	size, err := log.Seek(0, io.SeekEnd)
	if err != nil {
		return tail{}, fmt.Errorf("read the log of run %s: %w", id, err)
	}
	from := max(0, size-longestTail)
	if _, err := log.Seek(from, io.SeekStart); err != nil {
		return tail{}, fmt.Errorf("read the log of run %s: %w", id, err)
	}
	text, err := io.ReadAll(io.LimitReader(log, longestTail))
	if err != nil {
		return tail{}, fmt.Errorf("read the log of run %s: %w", id, err)
	}
	if t.Cut = from > 0; t.Cut {
		_, text, _ = bytes.Cut(text, []byte("\n"))
	}
	for line := range bytes.Lines(text) {
		t.Entries = append(t.Entries, parse(line))
	}
	return t, nil
}

// parse reads a line of JSON; what is none is a message.
func parse(line []byte) entry {
	var all map[string]any
	if json.Unmarshal(line, &all) != nil {
		return entry{Message: plain(strings.TrimSpace(string(line)))}
	}
	e := entry{Level: text(all["level"]), Message: text(all["msg"])}
	e.At, _ = time.Parse(time.RFC3339Nano, text(all["time"])) // a line without a time has none
	var rest []string
	for _, key := range slices.Sorted(maps.Keys(all)) {
		if key != "time" && key != "level" && key != "msg" && key != "run_id" {
			rest = append(rest, plain(key)+"="+text(all[key]))
		}
	}
	e.Rest = strings.Join(rest, " ")
	return e
}

func text(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case string:
		return plain(v)
	}
	written, _ := json.Marshal(v) // it was read from JSON
	return plain(string(written))
}

// plain has a sign for what cannot be seen, or would turn the words around it.
func plain(text string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r):
			return ' '
		case unicode.IsControl(r) || unicode.In(r, unicode.Cf):
			return utf8.RuneError
		}
		return r
	}, text)
}

func logLevel(level string) string {
	switch {
	case strings.HasPrefix(level, "ERROR"):
		return "bad"
	case strings.HasPrefix(level, "WARN"):
		return "warn"
	}
	return "plain"
}

// wholeLog is the log as it is.
func (h *server) wholeLog(w http.ResponseWriter, r *http.Request) error {
	run, err := h.named(r)
	if err != nil {
		return err
	}
	log, err := h.RunLog(r.Context(), run.ID)
	if err != nil {
		return err
	}
	defer log.Close()
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Content-Disposition", `attachment; filename="`+r.PathValue("id")+`.log"`) // named has looked at it
	_, _ = io.Copy(w, log)                                                                    // who has gone needs no answer
	return nil
}
