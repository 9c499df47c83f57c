package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"exactduck/cmd/exactduck/runs"
)

// A folder with a configuration, whose pipelines are nightly and hourly, and one past run.
func completionFolder(t *testing.T) (dir string) {
	t.Helper()
	dir = t.TempDir()
	text := `version: 1
connections:
  books: {type: exact-online, region: nl, client_id: a, client_secret: b, redirect_url: https://localhost:8585/callback}
pipelines:
  nightly:
    from: books
    streams: [crm/Accounts, crm/Contacts]
    to: {duckdb: books.duckdb}
  hourly:
    from: books
    streams: [financial/TransactionLines]
    to: {duckdb: other.duckdb}
`
	if err := os.WriteFile(filepath.Join(dir, "pipelines.yaml"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	w, err := runs.Create(filepath.Join(dir, ".exactduck", "runs"), runs.Record{ID: "20261121T030000.000Z-0001", Pipeline: "nightly"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.End(runs.Record{Status: "done"}); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestSuggestions(t *testing.T) {
	t.Parallel()
	dir := completionFolder(t)
	at := "--config=" + filepath.Join(dir, "pipelines.yaml")
	for line, test := range map[string]struct{ some, none []string }{
		"":                                      {some: []string{"sync", "auth", "runs", "completion"}, none: []string{"login", "nightly", "--help"}},
		"-":                                     {some: []string{"--help", "--version"}, none: []string{"--full-refresh"}},
		"auth":                                  {some: []string{"login", "status"}, none: []string{"sync"}},
		"auth login --no":                       {some: []string{"--no-browser"}, none: []string{"--config"}},
		"sync --":                               {some: []string{"--full-refresh", "--config", "--help"}, none: []string{"-v"}},
		"sync -":                                {some: []string{"-v", "-q", "--wait"}},
		"sync " + at:                            {some: []string{"nightly"}},
		"sync --wait " + at + " --full-refresh": {some: []string{"nightly", "--full-refresh"}},
		"sync --output=":                        {some: []string{"--output=json"}, none: []string{"json"}},
		"sync " + at + " --wait nightly":        {some: []string{"hourly", "nightly"}},
		"sync --config " + filepath.Join(dir, "pipelines.yaml") + " hourly": {some: []string{"nightly"}},
		"sync --config missing.yaml hourly":                                 {none: []string{"nightly"}},
		"sync " + at + " --streams":                                         {some: []string{"--streams", "crm/Contacts", "financial/TransactionLines"}, none: []string{"crm/Addresses"}},
		"sync --config missing.yaml --streams =":                            {some: []string{"crm/Addresses"}},
		"query --output":                                                    {some: []string{"json", "csv"}},
		"sync --output":                                                     {some: []string{"json", "table"}, none: []string{"csv"}},
		"runs " + at + " x":                                                 {some: []string{"nightly"}},
		"runs show " + at + " x":                                            {some: []string{"last", "nightly", "20261121T030000.000Z-0001"}},
		"completion":                                                        {some: []string{"bash", "zsh", "fish"}},
		"version":                                                           {none: []string{"nightly"}},
		"nonsense":                                                          {none: []string{"nightly", "sync"}},
	} {
		var out, said bytes.Buffer
		args := append(append([]string{"exactduck"}, strings.Fields(line)...), askingFlag)
		if code := newApp(nil, &out, &said).run(t.Context(), args); code != 0 || said.Len() > 0 {
			t.Errorf("%q: exit code %d, %s", line, code, said.String())
		}
		got := strings.Fields(out.String())
		for _, word := range test.some {
			if !slices.Contains(got, word) {
				t.Errorf("%q is not completed by %q: %v", line, word, got)
			}
		}
		for _, word := range test.none {
			if slices.Contains(got, word) {
				t.Errorf("%q is completed by %q", line, word)
			}
		}
	}
}

// program writes the program under test into a folder, under its own name.
func program(t *testing.T) (dir string) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir = t.TempDir()
	script := "#!/bin/sh\n" + childDoes + "=program exec '" + self + "' \"$@\"\n"
	if err := os.WriteFile(filepath.Join(dir, "exactduck"), []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	return dir
}

// completed are what a shell offers at the end of a line, which a script in its language asks it.
func completed(t *testing.T, shell, script string) []string {
	t.Helper()
	path, err := exec.LookPath(shell)
	if err != nil {
		t.Skipf("there is no %s on this machine", shell)
	}
	c := exec.CommandContext(t.Context(), path, "-c", script)
	c.Dir = completionFolder(t)
	c.Env = append(os.Environ(), "PATH="+program(t)+":"+os.Getenv("PATH"))
	var said bytes.Buffer
	c.Stderr = &said
	out, err := c.Output()
	if err != nil || said.Len() > 0 {
		t.Fatalf("%s: %v: %s", shell, err, said.String())
	}
	return strings.Fields(string(out))
}

func TestBashCompletes(t *testing.T) {
	t.Parallel()
	ask := func(words ...string) string {
		quoted := "'" + strings.Join(words, "' '") + "'"
		return "source <(exactduck completion bash); COMP_WORDS=(" + quoted + "); COMP_CWORD=$((${#COMP_WORDS[@]}-1)); _exactduck; printf '%s\\n' \"${COMPREPLY[@]}\""
	}
	for _, test := range []struct{ words, want []string }{
		{[]string{"exactduck", "sy"}, []string{"sync"}},
		{[]string{"exactduck", "auth", "log"}, []string{"login", "logout"}},
		{[]string{"exactduck", "sync", "ni"}, []string{"nightly"}},
		{[]string{"exactduck", "sync", "--full"}, []string{"--full-refresh"}},
		{[]string{"exactduck", "sync", "--streams", "crm/A"}, []string{"crm/Accounts"}},
		{[]string{"exactduck", "sync", "--streams", "=", "crm/A"}, []string{"crm/Accounts"}},
		{[]string{"exactduck", "runs", "show", "2026"}, []string{"20261121T030000.000Z-0001"}},
		{[]string{"exactduck", "sync", "--config", "pi"}, nil},
	} {
		if got := completed(t, "bash", ask(test.words...)); !slices.Equal(got, test.want) {
			t.Errorf("%q is completed by %q, want %q", test.words, got, test.want)
		}
	}
}

func TestZshCompletes(t *testing.T) {
	t.Parallel()
	const script = "autoload -Uz compinit; compinit -u -D; compadd() { shift; print -l -- $@ }; source <(exactduck completion zsh); words=(exactduck auth ''); CURRENT=3; _exactduck"
	if got := completed(t, "zsh", script); !slices.Contains(got, "login") {
		t.Errorf("zsh offers %q", got)
	}
}

func TestFishCompletes(t *testing.T) {
	t.Parallel()
	const script = "exactduck completion fish | source; complete -C 'exactduck sync ni' | string replace -r '\\t.*' ''"
	if got := completed(t, "fish", script); !slices.Equal(got, []string{"nightly"}) {
		t.Errorf("fish offers %q", got)
	}
}

// Every command has an example of how it is typed.
func TestEveryCommandHasAnExample(t *testing.T) {
	t.Parallel()
	for _, c := range commands() {
		if !strings.Contains("\n"+c.help, "\n   exactduck "+c.name) {
			t.Errorf("the help of %q has no example line that begins with three blanks and %q", c.name, "exactduck "+c.name)
		}
	}
}
