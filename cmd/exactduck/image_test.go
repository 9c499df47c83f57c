package main

import (
	"bytes"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"

	"exactduck/cmd/exactduck/config"
)

// checkout is the root of the repository.
const checkout = "../.."

// instructions are the lines of the Dockerfile, continued ones as one, without comments.
func instructions(t *testing.T) (all [][2]string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(checkout, "Dockerfile"))
	if err != nil {
		t.Fatal(err)
	}
	whole := regexp.MustCompile(`(?m)^\s*#.*\n`).ReplaceAllString(string(text), "")
	for line := range strings.SplitSeq(strings.ReplaceAll(whole, "\\\n", " "), "\n") {
		if word, rest, ok := strings.Cut(strings.TrimSpace(line), " "); ok {
			all = append(all, [2]string{strings.ToUpper(word), strings.TrimSpace(rest)})
		}
	}
	return all
}

// The image runs as nobody in particular, writes to one volume, and says whether it is well.
func TestImageIsModest(t *testing.T) {
	t.Parallel()
	last := map[string]string{}
	for _, i := range instructions(t) {
		switch i[0] {
		case "ADD":
			t.Errorf("ADD %s: COPY says what it does", i[1])
		case "FROM":
			if image := strings.Fields(i[1])[0]; !regexp.MustCompile(`:\d`).MatchString(image) {
				t.Errorf("FROM %s: which version?", image)
			}
			clear(last)
		case "RUN":
			if strings.Contains(i[1], "apt-get install") && (!strings.Contains(i[1], "--no-install-recommends") || !strings.Contains(i[1], "rm -rf /var/lib/apt/lists")) {
				t.Errorf("RUN %s: leaves more behind than it needs", i[1])
			}
		}
		last[i[0]] = i[1]
	}
	if user := last["USER"]; !regexp.MustCompile(`^[1-9]\d*$`).MatchString(user) {
		t.Errorf("USER %s: a number, so that an engine can tell that it is not root", user)
	}
	for word, want := range map[string]string{
		"VOLUME": "/data", "WORKDIR": "/data", "ENTRYPOINT": `["exactduck"]`, "COPY": "--from=build /exactduck /usr/local/bin/exactduck",
	} {
		if last[word] != want {
			t.Errorf("%s is %s, want %s", word, last[word], want)
		}
	}
	check := regexp.MustCompile(`CMD \["exactduck", "(\w+)"\]`).FindStringSubmatch(last["HEALTHCHECK"])
	if check == nil || !slices.Contains(names(commands()), check[1]) {
		t.Errorf("HEALTHCHECK %s: no command of the program", last["HEALTHCHECK"])
	}
}

// sent is what a build is given of the checkout, by .dockerignore.
func sent(t *testing.T, to string) {
	t.Helper()
	ignore, err := os.ReadFile(filepath.Join(checkout, ".dockerignore"))
	if err != nil {
		t.Fatal(err)
	}
	root := os.DirFS(checkout)
	err = fs.WalkDir(root, ".", func(path string, e fs.DirEntry, err error) error {
		switch {
		case err != nil || path == ".":
			return err
		case ignored(string(ignore), path) && e.IsDir():
			return fs.SkipDir
		case ignored(string(ignore), path):
			return nil
		case e.IsDir():
			return os.MkdirAll(filepath.Join(to, path), 0o755)
		}
		text, err := fs.ReadFile(root, path)
		if err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(to, path), text, 0o644)
	})
	if err != nil {
		t.Fatal(err)
	}
}

// ignored goes by the rules that our .dockerignore has: * for all at the top, !name, and **/name.
func ignored(rules, path string) (out bool) {
	for rule := range strings.Lines(rules) {
		rule = strings.TrimSpace(rule)
		kept, keeps := strings.CutPrefix(rule, "!")
		deep, anywhere := strings.CutPrefix(rule, "**/")
		top, _, _ := strings.Cut(path, "/")
		match, _ := filepath.Match(deep, filepath.Base(path))
		switch {
		case strings.HasPrefix(rule, "#") || rule == "":
		case rule == "*":
			out = true
		case keeps && kept == top:
			out = false
		case anywhere && match:
			out = true
		}
	}
	return out
}

// What a build is given suffices for it, whatever files the program embeds. In the long size the
// Dockerfile's own command builds it there.
func TestImageBuildsFromWhatItIsGiven(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	sent(t, dir)
	for _, secret := range []string{".git", ".exactduck", "README.md", ".github"} {
		if _, err := os.Stat(filepath.Join(dir, secret)); err == nil {
			t.Errorf("%s enters the build", secret)
		}
	}
	command := "go list -deps ./cmd/exactduck"
	program := filepath.Join(t.TempDir(), "exactduck")
	if long() {
		for _, i := range instructions(t) {
			if i[0] == "RUN" && strings.HasPrefix(i[1], "go build") {
				command = strings.Replace(i[1], "-o /exactduck", "-o "+program, 1)
			}
		}
	}
	c := exec.CommandContext(t.Context(), "sh", "-c", command)
	c.Dir = dir
	if out, err := c.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", command, err, out)
	}
	if long() {
		if out, err := exec.CommandContext(t.Context(), program, "version").CombinedOutput(); err != nil || !bytes.Contains(out, []byte("exactduck")) {
			t.Errorf("the program that was built: %v\n%s", err, out)
		}
	}
}

// The examples of .github/running are right: the configuration is one, and its secrets are those that
// Compose brings.
func TestComposeExample(t *testing.T) {
	t.Parallel()
	at := filepath.Join(checkout, ".github", "running")
	text, err := os.ReadFile(filepath.Join(at, "compose.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var compose struct {
		Services map[string]struct {
			Command  []string
			ReadOnly bool `yaml:"read_only"`
			Secrets  []string
			Volumes  []string
			CapDrop  []string `yaml:"cap_drop"`
		}
		Secrets map[string]struct{ File string }
	}
	if err := yaml.Unmarshal(text, &compose); err != nil {
		t.Fatal(err)
	}
	s := compose.Services["exactduck"]
	if !s.ReadOnly || !slices.Contains(s.CapDrop, "ALL") || !slices.Equal(s.Command, []string{"serve"}) {
		t.Errorf("the service may do more than it needs: %+v", s)
	}
	configured, err := config.Load(filepath.Join(at, "pipelines.yaml"), catalogue)
	if err != nil {
		t.Fatal(err)
	}
	if w := configured.Warnings(); len(w) > 0 {
		t.Errorf("warnings: %v", w)
	}
	example, err := os.ReadFile(filepath.Join(at, "pipelines.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range regexp.MustCompile(`file:/run/secrets/(\w+)`).FindAllStringSubmatch(string(example), -1) {
		if !slices.Contains(s.Secrets, m[1]) || compose.Secrets[m[1]].File == "" {
			t.Errorf("no secret %s is brought", m[1])
		}
	}
}

// The line for cron finds the program and the secrets, though cron gives it next to nothing.
func TestCronExample(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, folder := range []string{"bin", "srv", "etc"} {
		if err := os.Mkdir(filepath.Join(dir, folder), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	for path, text := range map[string]string{
		"bin/exactduck":   "#!/bin/sh\necho \"$PWD $EXACT_CLIENT_ID $EXACT_CLIENT_SECRET $XDG_STATE_HOME $*\"\n",
		"etc/secrets.env": "EXACT_CLIENT_ID=app\nEXACT_CLIENT_SECRET='a secret'\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, path), []byte(text), 0o700); err != nil { //nolint:gosec // it is run
			t.Fatal(err)
		}
	}
	text, err := os.ReadFile("../../.github/running/exactduck.cron")
	if err != nil {
		t.Fatal(err)
	}
	here := strings.NewReplacer("/usr/local/bin", dir+"/bin", "/srv/exactduck", dir+"/srv", "/etc/exactduck", dir+"/etc").Replace(string(text))
	env, command := []string{"PATH=/usr/bin:/bin"}, ""
	for line := range strings.Lines(here) {
		line = strings.TrimSpace(line)
		switch {
		case strings.HasPrefix(line, "#"):
		case strings.HasPrefix(line, "15 4 * * * exactduck "):
			command = strings.TrimPrefix(line, "15 4 * * * exactduck ")
		default:
			env = append(env, line)
		}
	}
	c := exec.CommandContext(t.Context(), "/bin/sh", "-c", command)
	c.Env, c.Dir = env, "/"
	said, err := c.CombinedOutput()
	if want := dir + "/srv app a secret " + dir + "/srv/state sync -q\n"; err != nil || string(said) != want {
		t.Errorf("%v: %s, want %s", err, said, want)
	}
}
