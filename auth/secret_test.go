package auth_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"exactduck/auth"
)

func TestASecretNeverShows(t *testing.T) {
	const word = "Y2MN!IAAAAhush"
	app := auth.App{Host: "https://start.exactonline.nl", ClientID: "id", ClientSecret: word}
	token := auth.Token{Access: word, Refresh: word}
	state := auth.State{Now: &token, Previous: &token}
	values := []any{auth.Secret(word), token, &token, state, &state, app, auth.Options{App: app}, []auth.Secret{word}, map[string]auth.Secret{"a": word}}

	var out bytes.Buffer
	for _, v := range values {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%t", "%T", "%10.3s"} {
			fmt.Fprintf(&out, verb+"\n", v)
		}
		raw, err := json.Marshal(v)
		if err != nil && !strings.Contains(err.Error(), "func()") && !strings.Contains(err.Error(), "unsupported type") {
			t.Error(err)
		}
		out.Write(raw)
		slog.New(slog.NewTextHandler(&out, nil)).InfoContext(t.Context(), "v", "value", v)
		slog.New(slog.NewJSONHandler(&out, nil)).InfoContext(t.Context(), "v", "value", v)
	}
	for line := range strings.Lines(out.String()) {
		if strings.Contains(line, word) {
			t.Log(line)
		}
	}
	for _, form := range []string{word, fmt.Sprintf("%x", word), fmt.Sprintf("%X", word), `Y2MN\u0021`, word[:6]} {
		if strings.Contains(out.String(), form) {
			t.Errorf("%q is in the output", form)
		}
	}
}

func TestAFingerprintTellsTokensApart(t *testing.T) {
	if auth.Secret("a").Fingerprint() == auth.Secret("b").Fingerprint() || auth.Secret("").Fingerprint() != "" {
		t.Error("fingerprints do not tell secrets apart")
	}
}
