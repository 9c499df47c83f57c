package config_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"exactduck/cmd/exactduck/config"
	"exactduck/cmd/exactduck/schedule"
	"exactduck/extract"
	"exactduck/extract/exactonline"
)

var catalogue = config.Catalogues{"exact-online": {
	Example: "crm/*", Lookup: exactonline.Lookup, Match: exactonline.Match, Streams: exactonline.Streams,
	Schedule: func(expr string, zone *time.Location) (warnings []string, reason, hint string) {
		spec, err := schedule.Parse(expr, zone)
		if bad, ok := errors.AsType[*schedule.Malformed](err); ok {
			return nil, bad.Reason, bad.Hint
		}
		return spec.Warnings(), "", ""
	},
}}

const minimal = `version: 1
connections:
  books:
    type: exact-online
    region: nl
    client_id: ${EXACT_CLIENT_ID}
    client_secret: ${EXACT_CLIENT_SECRET}
pipelines:
  nightly:
    streams: [crm/Accounts]
    to: {duckdb: warehouse.duckdb}
`

func parse(t *testing.T, text string) *config.Config {
	t.Helper()
	c, err := config.Parse([]byte(text), "/books/pipelines.yaml", catalogue)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestMinimalConfigurationIsCompletedWithDefaults(t *testing.T) {
	c := parse(t, minimal)
	conn, p := c.Connections["books"], c.Pipelines["nightly"]
	got := []any{
		conn.BaseURL, conn.RedirectURL, conn.ServerTimezone.String(), p.From, p.Name(), p.Divisions, p.Deletes, p.Soft(),
		p.SweepEvery.Duration, p.Timezone.String(), p.To.DuckDB, p.To.Parquet, c.State(), c.Logins(), c.Path(), len(c.Warnings()),
	}
	want := []any{
		"https://start.exactonline.nl", "https://localhost:8585/callback", "Europe/Amsterdam", "books", "nightly",
		config.Divisions{"all"},
		"hard", false, 7 * 24 * time.Hour, "Europe/Amsterdam", "/books/warehouse.duckdb", "",
		"/books/.exactduck", "", "/books/pipelines.yaml", 0,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestEveryKeyIsRead(t *testing.T) {
	c := parse(t, `version: 1
state_dir: state
connections:
  uk:
    type: exact-online
    base_url: http://127.0.0.1:8700/
    client_id: id
    client_secret: hush
    redirect_url: https://localhost:9000/cb
    language: en-GB
    server_timezone: Europe/London
    division: 123456
    schema_prefix: uk_
pipelines:
  nightly:
    from: uk
    divisions: [123456, "Bakery*"]
    streams:
      - bulk/crm/Accounts
      - {stream: financial/TransactionLines, since: 2020-01-01, exclude_columns: [notes]}
    to: {duckdb: /data/warehouse.duckdb, parquet: lake/, partition: year, keep: 7}
    deletes: soft
    sweep_every: 36h
    schedule: "15 1 * * *"
    jitter: 10m
    timezone: Europe/London
`)
	conn, p := c.Connections["uk"], c.Pipelines["nightly"]
	choices, err := p.Choices(catalogue)
	if err != nil {
		t.Fatal(err)
	}
	got := []any{
		conn.BaseURL, conn.RedirectURL, conn.Language, conn.ServerTimezone.String(), conn.Division, conn.SchemaPrefix,
		p.Divisions, choices[0].Variant.Kind, choices[1].Since.Format(time.DateOnly), choices[1].Exclude, choices[1].Variant == nil,
		p.To.DuckDB, filepath.Clean(p.To.Parquet), p.To.Partition, p.To.Keep, p.Soft(), p.SweepEvery.Duration, p.Schedule, p.Jitter.Duration, p.Timezone.String(),
		c.State(), c.Logins(), len(c.Warnings()),
	}
	want := []any{
		"http://127.0.0.1:8700", "https://localhost:9000/cb", "en-GB", "Europe/London", 123456, "uk_",
		config.Divisions{"123456", "Bakery*"},
		"bulk", "2020-01-01",
		[]string{"Notes"},
		true,
		"/data/warehouse.duckdb", "/books/lake", "year", 7, true, 36 * time.Hour, "15 1 * * *", 10 * time.Minute, "Europe/London",
		"/books/state", "/books/state/logins", 2,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if table := choices[1].Table(choices[1].Stream.Variants[0]); table.Index("Notes") >= 0 {
		t.Error("an excluded column is still in the table")
	}
}

func TestNamedEntryWinsOverWildcard(t *testing.T) {
	c := parse(t, strings.Replace(minimal, "[crm/Accounts]",
		"[crm/*, {stream: crm/Accounts, since: 2024-02-29}]", 1))
	choices, err := c.Pipelines["nightly"].Choices(catalogue)
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for _, choice := range choices {
		if choice.Stream.Name == "crm/Accounts" {
			found++
			if choice.Since.Format(time.DateOnly) != "2024-02-29" {
				t.Errorf("since is %v", choice.Since)
			}
		}
	}
	if found != 1 || len(choices) < 5 {
		t.Errorf("crm/Accounts %d times among %d choices", found, len(choices))
	}
}

func TestAnchorsAreUnderstood(t *testing.T) {
	c := parse(t, strings.Replace(minimal, "    streams: [crm/Accounts]\n", "    streams: &s [crm/Accounts]\n", 1)+`  second:
    streams: *s
    to: {duckdb: other.duckdb}
`)
	if got := c.Pipelines["second"].Streams[0].Stream; got != "crm/Accounts" {
		t.Errorf("stream %q", got)
	}
	if diff := cmp.Diff([]string{"nightly", "second"}, c.PipelineNames()); diff != "" {
		t.Error(diff)
	}
}

func TestDivisions(t *testing.T) {
	places := []extract.Place{
		{Scope: "1", Code: "1", Name: "Bakery Ltd", Active: true},
		{Scope: "2", Code: "2", Name: "bakery holding", Active: true},
		{Scope: "3", Code: "3", Name: "Bakery old"},
		{Scope: "4", Code: "4", Name: "Mill", Active: true},
	}
	for _, test := range []struct {
		want string
		d    config.Divisions
	}{
		{"1 2 4", config.Divisions{"all"}},
		{"1 2", config.Divisions{"Bakery*"}},
		{"3 4", config.Divisions{"4", "3"}},
		{"4", config.Divisions{"m?ll"}},
	} {
		got, err := test.d.Select(places)
		if err != nil {
			t.Fatal(err)
		}
		var codes []string
		for _, p := range got {
			codes = append(codes, p.Code)
		}
		if s := strings.Join(codes, " "); s != test.want {
			t.Errorf("%v: got %s, want %s", test.d, s, test.want)
		}
	}
	_, err := config.Divisions{"1", "99"}.Select(places)
	var unknown *config.UnknownDivision
	if !errors.As(err, &unknown) || unknown.Division != "99" || unknown.Have[0] != "1 Bakery Ltd" {
		t.Errorf("error %v", err)
	}
}

func TestSecrets(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("secret", "hush\n")
	write("empty", "\n")
	env := map[string]string{"EXACT_CLIENT_ID": "id", "BLANK": ""}
	lookup := func(name string) (string, bool) { v, ok := env[name]; return v, ok }
	for _, test := range []struct{ secret, want, failure string }{
		{"file:secret", "hush", ""},
		{"hush", "hush", ""},
		{"file:nowhere", "", "7:20: connections.books.client_secret: cannot read " + filepath.Join(dir, "nowhere") + ": no such file"},
		{"file:empty", "", "it holds no text"},
		{"file:.", "", "it is not a file"},
		{"${NOT_SET}", "", "7:20: connections.books.client_secret: the variable NOT_SET is not set"},
		{"${BLANK}", "", "the variable BLANK is not set"},
	} {
		text := strings.Replace(minimal, "${EXACT_CLIENT_SECRET}", test.secret, 1)
		c, err := config.Parse([]byte(text), filepath.Join(dir, "pipelines.yaml"), catalogue)
		if err != nil {
			t.Fatal(err)
		}
		id, secret, err := c.Credentials("books", lookup)
		if test.failure == "" {
			if err != nil || id != "id" || secret != test.want {
				t.Errorf("%s: got %s %s %v", test.secret, id, secret, err)
			}
			continue
		}
		var failure *config.SecretError
		if !errors.As(err, &failure) || !strings.Contains(err.Error(), test.failure) {
			t.Errorf("%s: got %v, want %s", test.secret, err, test.failure)
		}
	}
}

func TestUnreadableConfigurations(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "huge.yaml"), make([]byte, 1<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"nowhere.yaml", ".", "huge.yaml"} {
		_, err := config.Load(filepath.Join(dir, name), catalogue)
		if _, ok := errors.AsType[*config.ReadError](err); !ok {
			t.Errorf("%s: got %v", name, err)
		}
	}
}
