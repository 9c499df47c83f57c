package extract

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strings"
	"time"
	"unicode"

	"github.com/go-faster/jx"
)

// Answer is a page of JSON that arrived whole.
type Answer struct {
	Status int
	Header http.Header
	Body   []byte
	Date   time.Time // the vendor's clock at the answer, cut to the second; zero: not told
	// Asked is the vendor's clock when the request was sent, rather too early than too late.
	Asked time.Time
}

var errTooLarge = errors.New("answer is too large")

// refusals are read no further than this.
const refusalBytes = 64 << 10

func readBody(r *http.Response, whole bool, limit int64) ([]byte, error) {
	if !whole {
		body, _ := io.ReadAll(io.LimitReader(r.Body, refusalBytes)) // the status says enough
		return body, nil
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, limit+1))
	if err != nil {
		return nil, fmt.Errorf("answer was cut off: %w", err)
	}
	if int64(len(body)) > limit {
		return nil, fmt.Errorf("%w: more than %d bytes", errTooLarge, limit)
	}
	return body, nil
}

func (a *Answer) checkJSON() error {
	kind, _, err := mime.ParseMediaType(a.Header.Get("Content-Type"))
	if err != nil || kind != "application/json" {
		return fmt.Errorf("answer is %q and not JSON: %s", a.Header.Get("Content-Type"), a.page())
	}
	if !jx.Valid(a.Body) {
		return fmt.Errorf("answer is not complete JSON: %s", a.page())
	}
	return nil
}

// page is an excerpt of what came in the place of records. Records themselves, cut off or under a wrong
// name, are not quoted: errors are written down, and what is in a record may be for nobody's eyes.
func (a *Answer) page() string {
	start := bytes.ToLower(bytes.TrimLeft(bytes.TrimPrefix(a.Body[:min(len(a.Body), 200)], []byte("\uFEFF")), " \t\r\n"))
	if len(a.Body) == 0 || bytes.HasPrefix(start, []byte("<!doctype html")) || bytes.HasPrefix(start, []byte("<html")) {
		return a.excerpt()
	}
	return fmt.Sprintf("%d bytes", len(a.Body))
}

// excerpt is the beginning of the body, fit for a line of text.
func (a *Answer) excerpt() string {
	if len(a.Body) == 0 {
		return "empty answer"
	}
	return line(string(a.Body[:min(len(a.Body), 200)]))
}

// line makes foreign text fit for an error: one line of printable characters, not too long.
func line(text string) string {
	text = strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) && !unicode.IsSpace(r) {
			return -1
		}
		return r
	}, strings.ToValidUTF8(text, "?"))
	words := []rune(strings.Join(strings.Fields(text), " "))
	if len(words) > 500 {
		return string(words[:500]) + "…"
	}
	return string(words)
}

// refusal finds the vendor's cause and words. The header Reason is the only machine-readable
// cause; the words are in JSON or, whatever was asked for, in XML.
func (a *Answer) refusal() (reason, message string) {
	reason, words, _ := strings.Cut(a.Header.Get("Reason"), ":")
	message = words
	var asJSON struct {
		Error struct {
			Message struct{ Value string }
		}
	}
	var asXML struct {
		Message string `xml:"message"`
	}
	switch {
	case json.Unmarshal(a.Body, &asJSON) == nil && asJSON.Error.Message.Value != "":
		message = asJSON.Error.Message.Value
	case xml.Unmarshal(a.Body, &asXML) == nil && asXML.Message != "":
		message = asXML.Message
	case message == "" && len(a.Body) > 0:
		message = a.excerpt()
	}
	return line(reason), line(message)
}
