package runs

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"
)

// LogLine is one line of a log: a JSON object.
type LogLine json.RawMessage

// MarshalJSON is the line as it is.
func (l LogLine) MarshalJSON() ([]byte, error) { return l, nil }

// String is the line as people read it: the time, the level, the message, and what goes with it.
func (l LogLine) String() string {
	fields := bytes.NewReader(l)
	d := json.NewDecoder(fields)
	if begin, err := d.Token(); err != nil || begin != json.Delim('{') {
		return string(l)
	}
	var at, level, message string
	var rest strings.Builder
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return string(l)
		}
		var value json.RawMessage
		if d.Decode(&value) != nil {
			return string(l)
		}
		switch name {
		case "time":
			at = text(value)
			if t, err := time.Parse(time.RFC3339Nano, at); err == nil {
				at = t.Format("2006-01-02 15:04:05.000")
			}
		case "level":
			level = text(value)
		case "msg":
			message = text(value)
		default:
			fmt.Fprintf(&rest, " %s=%s", name, value)
		}
	}
	return fmt.Sprintf("%s %-5s %s%s", at, level, message, rest.String())
}

// text is a value without the quotes of a string.
func text(value json.RawMessage) string {
	var s string
	if json.Unmarshal(value, &s) != nil {
		return string(value)
	}
	return s
}

// ReadLog reads the whole lines of a log. One that is torn, by a kill or because it is being written, is
// left out.
func ReadLog(r io.Reader) ([]LogLine, error) {
	lines := []LogLine{}
	in := bufio.NewReaderSize(r, 1<<16)
	for {
		line, err := in.ReadBytes('\n')
		if err == io.EOF {
			return lines, nil
		}
		if err != nil {
			return lines, fmt.Errorf("read the log of a run: %w", err)
		}
		if line = bytes.TrimSpace(line); json.Valid(line) {
			lines = append(lines, LogLine(line))
		}
	}
}
