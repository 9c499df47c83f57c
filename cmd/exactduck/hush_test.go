package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
)

// hush is what a story must not show nor leave behind: the codes, tokens and secrets that went over
// the wire.
type hush struct {
	mu    sync.Mutex
	words map[string]bool
}

// keep adds a secret, in all the forms that it could be written in.
func (h *hush) keep(secret string) {
	plain, err := url.PathUnescape(secret)
	if err != nil {
		plain = secret
	}
	if len(plain) < 8 {
		return // a wrong secret that a story made up
	}
	quoted, _ := json.Marshal(plain)
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, form := range []string{secret, plain, url.QueryEscape(plain), url.PathEscape(plain), strings.Trim(string(quoted), `"`)} {
		h.words[form] = true
	}
}

// in is how many of the secrets, in one form or another, are in a text.
func (h *hush) in(text []byte) (found int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for word := range h.words {
		if bytes.Contains(text, []byte(word)) {
			found++
		}
	}
	return found
}

// listen keeps what every token call sends and brings.
func (h *hush) listen(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "" && !strings.HasPrefix(r.Header.Get("Authorization"), "Bearer ") {
			h.keep(r.Header.Get("Authorization"))
		}
		if !strings.HasSuffix(r.URL.Path, "/token") {
			next.ServeHTTP(w, r)
			return
		}
		sent, _ := io.ReadAll(r.Body)
		r.Body = io.NopCloser(bytes.NewReader(sent))
		form, _ := url.ParseQuery(string(sent))
		var user struct{ Password string }
		_ = json.Unmarshal(sent, &user)
		h.keep(user.Password)
		for _, name := range []string{"code", "refresh_token", "client_secret"} {
			h.keep(form.Get(name))
		}
		answer := httptest.NewRecorder()
		next.ServeHTTP(answer, r)
		var pair struct {
			Access  string `json:"access_token"`
			Refresh string `json:"refresh_token"`
			Token   string `json:"token"` // of Exact Payments
		}
		if json.Unmarshal(answer.Body.Bytes(), &pair) == nil {
			h.keep(pair.Access)
			h.keep(pair.Refresh)
			h.keep(pair.Token)
		}
		maps.Copy(w.Header(), answer.Header())
		w.WriteHeader(answer.Code)
		_, _ = w.Write(answer.Body.Bytes())
	})
}

// search looks through everything that a story left in its folder. Only a plain login file may hold
// secrets, and when a story leaves one, it must: else the search does not know what to look for.
func (h *hush) search(dir string) (problems []string) {
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || !e.Type().IsRegular() {
			return nil //nolint:nilerr // what cannot be read by its owner leaks nothing
		}
		raw, err := os.ReadFile(path)
		if err != nil {
			return nil //nolint:nilerr // as above
		}
		found := h.in(raw)
		switch {
		case strings.HasPrefix(e.Name(), "login") && (bytes.Contains(raw, []byte(`"refresh_token"`)) || bytes.Contains(raw, []byte(`"application_token"`))):
			if found == 0 {
				problems = append(problems, "the secrets of the story are not known")
			}
		case found > 0:
			problems = append(problems, fmt.Sprintf("%d secrets are in %s", found, path))
		}
		return nil
	})
	if err != nil {
		problems = append(problems, err.Error())
	}
	return problems
}
