package auth

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"log/slog"
	"net/url"
	"strings"
)

// Secret is text that never shows: every verb of fmt but %p (which vet refuses), slog and
// encoding/json print a placeholder. What needs the text itself converts it: string(s).
type Secret string

const hidden = "[secret]"

// String returns the placeholder.
func (s Secret) String() string { return hidden }

// GoString returns the placeholder.
func (s Secret) GoString() string { return hidden }

// Format prints the placeholder for every verb, wrong ones included.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, hidden) }

// LogValue returns the placeholder.
func (s Secret) LogValue() slog.Value { return slog.StringValue(hidden) }

// MarshalText returns the placeholder, so that no encoder writes a secret by accident. Stores
// write through [Marshal].
func (s Secret) MarshalText() ([]byte, error) { return []byte(hidden), nil }

// Fingerprint tells two secrets apart without giving either away.
func (s Secret) Fingerprint() string {
	if s == "" {
		return ""
	}
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:4])
}

// scrub makes text of a server fit to be shown: printable, short, and without any of the
// secrets, plain or percent-encoded.
func scrub(text string, secrets ...Secret) string {
	for _, s := range secrets {
		if s == "" {
			continue
		}
		for _, form := range []string{string(s), url.QueryEscape(string(s)), url.PathEscape(string(s))} {
			text = strings.ReplaceAll(text, form, hidden)
		}
	}
	text = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(text, "?"))
	const most = 200
	if runes := []rune(text); len(runes) > most {
		text = string(runes[:most]) + "…"
	}
	return strings.TrimSpace(text)
}
