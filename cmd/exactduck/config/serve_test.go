package config_test

import (
	"errors"
	"strings"
	"testing"

	"exactduck/cmd/exactduck/config"
)

func TestWhoMaySeeThePage(t *testing.T) {
	const anybody = "{listen: '0.0.0.0:8586'}"
	for serve, want := range map[string]string{
		"":                             "",
		"{listen: '127.0.0.1:0'}":      "",
		"{listen: '[::1]:8586'}":       "",
		"{listen: 'localhost:1'}":      "",
		"{listen: off}":                "",
		anybody:                        "serve.password: is missing",
		"{listen: ':8586'}":            "serve.password: is missing",
		"{listen: 'books.example:80'}": "serve.password: is missing",
		"{listen: '127.0.0.1'}":        "is no host and port",
		"{listen: '127.0.0.1:http'}":   "has no port that can be listened on",
		"{listen: '127.0.0.1:65536'}":  "has no port that can be listened on",
		"{user: 'a:b'}":                "serve.user: cannot have a colon",
		"{password: correct horse}":    "serve.password: must not be written into this file",
		"{password: 'x${PASSWORD}'}":   "the whole value must be ${NAME}",
		"{listens: '127.0.0.1:8586'}":  `"listens"`,
		"{listen: '0.0.0.0:8586', password: '${PASSWORD}'}": "",
	} {
		text := change(t, "version: 1\n", "version: 1\nserve: "+serve+"\n")
		_, err := config.Parse([]byte(text), "p.yaml", catalogue)
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("serve: %s gives %v, want %q", serve, err, want)
		}
	}
}

func TestThePasswordOfThePage(t *testing.T) {
	c, err := config.Parse([]byte(change(t, "version: 1\n", "version: 1\nserve: {password: '${PASSWORD}'}\n")), "p.yaml", catalogue)
	if err != nil {
		t.Fatal(err)
	}
	if c.Serve.Listen != config.DefaultListen || c.Serve.User != config.DefaultUser {
		t.Errorf("the defaults are %+v", c.Serve)
	}
	for value, want := range map[string]string{"correct horse": "", "": "is not set", "short": "is shorter than 12 characters"} {
		password, err := c.ServePassword(func(name string) (string, bool) { return value, name == "PASSWORD" })
		if want == "" {
			if err != nil || password != value {
				t.Errorf("got %q, %v", password, err)
			}
			continue
		}
		var secret *config.SecretError
		if !errors.As(err, &secret) || secret.Variable != "PASSWORD" || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
	open, err := config.Parse([]byte(change(t, "", "")), "p.yaml", catalogue)
	if err != nil {
		t.Fatal(err)
	}
	if password, err := open.ServePassword(nil); password != "" || err != nil {
		t.Errorf("without one: %q, %v", password, err)
	}
}

func TestPrivateAddresses(t *testing.T) {
	for listen, want := range map[string]bool{
		"127.0.0.1:8586": true, "127.8.9.1:1": true, "[::1]:8586": true, "localhost:80": true, "0.0.0.0:8586": false,
		":8586": false, "10.0.0.1:8586": false, "[::]:8586": false, "nothing": false,
	} {
		if got := config.Private(listen); got != want {
			t.Errorf("%s is private: %t", listen, got)
		}
	}
}
