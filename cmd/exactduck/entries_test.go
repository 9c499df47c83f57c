package main

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"exactduck/cmd/exactduck/config"
)

// entries is a configuration with these streams, which begin in line 9, and lines of its pipeline.
func entries(t *testing.T, streams, lines string) (*config.Config, error) {
	t.Helper()
	text := `version: 1
connections:
  books:
    {type: exact-online, region: nl, client_id: a, client_secret: '${S}'}
pipelines:
  nightly:
    to: {duckdb: warehouse.duckdb}
    streams:
` + streams + "\n" + lines
	return config.Parse([]byte(text), "p.yaml", catalogue)
}

func TestProblemsOfEntries(t *testing.T) {
	t.Parallel()
	const params = "      - {stream: read/financial/AgingReceivablesListByAgeGroup, params: "
	for _, tc := range []struct{ name, streams, lines, want, hint string }{
		{"both ways", "      - {stream: crm/Accounts, columns: [Name], exclude_columns: [Email]}", "", "9:49: pipelines.nightly.streams[1].exclude_columns: columns and exclude_columns are both given", "remove one"},
		{"unknown column", "      - {stream: crm/Accounts, columns: [Name, Emial]}", "", `9:48: pipelines.nightly.streams[1].columns[2]: there is no column "Emial"`, "Email"},
		{"no column", "      - {stream: financial/ReportingBalance, columns: []}", "", "pipelines.nightly.streams[1].columns: financial/ReportingBalance would have no column", "at least one"},
		{"unknown column of all", "      - crm/*", "    defaults: {exclude_columns: [Nmae]}", `10:34: pipelines.nightly.defaults.exclude_columns[1]: there is no column "Nmae"`, "did you mean Name"},
		{"key of all", "      - crm/*", "    defaults: {exclude_columns: [ID]}", "ID is part of the key or the cursor", "remove it"},
		{"cursor of dated rows", "      - {stream: cashflow/Payments, exclude_columns: [modified]}", "", "modified is part of the key or the cursor of cashflow/Payments", "remove it"},
		{"bad filter", "      - {stream: crm/Accounts, filter: \"Name eq 'a' and Typ eq 2\"}", "", "9:57: pipelines.nightly.streams[1].filter: ", "exactduck endpoints crm/Accounts"},
		{"filter of a wrong kind", "      - {stream: crm/Accounts, filter: Name eq 3}", "", ".filter: ", "Type eq 20"},
		{"filter that some do not know", "      - {stream: crm/*, filter: Blocked eq true}", "", "pipelines.nightly.streams[1].filter: crm/", "crm/"},
		{"parameter missing", params + "{}}", "", "pipelines.nightly.streams[1].params.ageGroup: missing; it takes ageGroup (a whole number)", "documentation"},
		{"no parameters", "      - read/financial/AgingReceivablesListByAgeGroup", "", "it answers only for given parameters: ageGroup", ""},
		{"unknown parameter", params + "{agegroup: 1, year: 2}}", "", "9:93: pipelines.nightly.streams[1].params.year: not known; it takes ageGroup", ""},
		{"parameter of a wrong kind", params + "{ageGroup: first}}", "", "9:84: pipelines.nightly.streams[1].params.ageGroup: ", ""},
		{"parameters of what takes none", "      - {stream: crm/Accounts, params: {year: 2}}", "", "9:32: pipelines.nightly.streams[1].params: this stream takes no parameters", ""},
		{"one function twice", params + "{ageGroup: 1}}\n" + params + "{ageGroup: 2}}", "", "10:9: pipelines.nightly.streams[2]: read/financial/AgingReceivablesListByAgeGroup is in this pipeline already, at line 9", "as:"},
		{"as without parameters", "      - {stream: crm/Accounts, as: Relations}", "", "9:36: pipelines.nightly.streams[1].as: is only for a stream with params", ""},
		{"as with wildcards", "      - {stream: crm/*, as: Relations, params: {}}", "", "is not for a name with wildcards", "one by one"},
		{"bad name of a table", params + "{ageGroup: 1}, as: a b}", "", "pipelines.nightly.streams[1].as: ", ""},
		{"table of another stream", params + "{ageGroup: 1}, as: GLAccounts}", "", "pipelines.nightly.streams[1].as: stream financial/GLAccounts has that table", ""},
		{"table of another entry", params + "{ageGroup: 1}, as: First}\n      - {stream: financial/first, path: financial/First, types: {A: String}}", "", "pipelines.nightly.streams[2].stream: the table financial.first is filled by the entry at line 9 already", "another name"},
		{"keys of a path without one", "      - {stream: crm/Accounts, key: [ID], page_size: 3}", "", "9:32: pipelines.nightly.streams[1].key: is only for an endpoint that is given with path", "path:"},
		{"path of a stream that is known", "      - {stream: crm/Accounts, path: crm/Novelties, types: {ID: Guid}}", "", "pipelines.nightly.streams[1].stream: crm/Accounts is in the catalogue already", "another name"},
		{"path that is known", "      - {stream: crm/Mine, path: crm/Accounts, types: {ID: Guid}}", "", "9:34: pipelines.nightly.streams[1].path: this endpoint is known: it is stream crm/Accounts", ""},
		{"path that is none", "      - {stream: crm/Mine, path: 'https://x', types: {ID: Guid}}", "", "pipelines.nightly.streams[1].path: ", "crm/Novelties"},
		{"path without types", "      - {stream: crm/Mine, path: crm/Novelties}", "", "pipelines.nightly.streams[1].types: missing", "types:"},
		{"unknown type", "      - {stream: crm/Mine, path: crm/Novelties, types: {ID: Gudi}}", "", `pipelines.nightly.streams[1].types: ID: there is no type "Gudi"`, ""},
		{"key without type", "      - {stream: crm/Mine, path: crm/Novelties, key: [Id], types: {ID: Guid}}", "", "pipelines.nightly.streams[1].key: Id is not among the types", ""},
		{"page of a path", "      - {stream: crm/Mine, path: crm/Novelties, types: {ID: Guid}, page_size: 1001}", "", "page_size: 1001 cannot be meant", "1 to 1000"},
		{"schema of one's own", "      - {stream: warehouse/News, path: crm/Novelties, types: {ID: Guid}}", "", "7:18: pipelines.nightly.to.duckdb: a file called warehouse cannot hold a schema called warehouse", "otherwise"},
		{"date of undated rows", "      - {stream: inventory/StockPositions, since: 2024-01-01}", "", "9:51: pipelines.nightly.streams[1].since: rows of inventory/StockPositions do not say when they were modified", "remove it"},
		{"bad date of all", "      - crm/*", "    defaults: {since: yesterday}", `10:23: pipelines.nightly.defaults.since: "yesterday" is no date`, ""},
		{"bad age", "      - {stream: crm/Accounts, max_age: old}", "", `9:41: pipelines.nightly.streams[1].max_age: "old" is no duration`, ""},
		{"no sweeps", "      - {stream: crm/Accounts, sweep_every: none}", "", "sweep_every: cannot be none", "365d"},
		{"priority", "      - {stream: crm/Accounts, priority: 101}", "", "9:42: pipelines.nightly.streams[1].priority: 101 cannot be meant", "-100 to 100"},
		{"priority of all", "      - crm/*", "    defaults: {priority: -101}", "10:26: pipelines.nightly.defaults.priority: -101 cannot be meant", ""},
		{"many divisions", "      - crm/*", "    divisions_at_once: 65", "10:24: pipelines.nightly.divisions_at_once: 65 cannot be meant", "1 to 64"},
		{"no divisions at once", "      - crm/*", "    divisions_at_once: 0", "divisions_at_once: 0 cannot be meant", ""},
		{"read and left out", "      - crm/*", `    divisions: [123, "!123"]`, "10:22: pipelines.nightly.divisions[2]: 123 is to be read and to be left out", ""},
		{"none at all", "      - crm/*", `    divisions: "!all"`, "all is to be read and to be left out", ""},
		{"exception without quotes", "      - crm/*", `    divisions: [all, !123]`, "10:16: YAML syntax: ", "in quotes"},
		{"nothing to leave out", "      - crm/*", `    divisions: [all, "!"]`, "an empty division", ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := entries(t, tc.streams, tc.lines)
			var wrong *config.Error
			if !errors.As(err, &wrong) {
				t.Fatalf("no problem was found: %v", err)
			}
			p := wrong.Problems[0]
			if got := fmt.Sprintf("%d:%d: %s", p.Line, p.Column, p.Message); !strings.Contains(got, tc.want) {
				t.Errorf("got  %s\nwant %s", got, tc.want)
			}
			if !strings.Contains(p.Hint, tc.hint) {
				t.Errorf("hint %q, want %q", p.Hint, tc.hint)
			}
			if p.Excerpt == "" {
				t.Error("no excerpt")
			}
		})
	}
}

func TestReserves(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		text, problem string
		want          config.Reserve
	}{
		{"20%", "", config.Reserve{Percent: 20}},
		{"12.5 %", "", config.Reserve{Percent: 12.5}},
		{"1000", "", config.Reserve{Calls: 1000}},
		{"0", "", config.Reserve{}},
		{"100%", "would leave no call", config.Reserve{}},
		{"-1", "is no part of a quota", config.Reserve{}},
		{"-1%", "is no part of a quota", config.Reserve{}},
		{"NaN%", "is no part of a quota", config.Reserve{}},
		{"half", "is no part of a quota", config.Reserve{}},
	} {
		c, err := config.Parse([]byte(`version: 1
connections:
  books: {type: exact-online, region: nl, client_id: a, client_secret: '${S}', reserve: `+tc.text+`}
pipelines:
  nightly: {streams: [crm/Accounts], to: {duckdb: warehouse.duckdb}}
`), "p.yaml", catalogue)
		switch {
		case tc.problem != "" && (err == nil || !strings.Contains(err.Error(), "3:89: connections.books.reserve: ") || !strings.Contains(err.Error(), tc.problem)):
			t.Errorf("%s: %v", tc.text, err)
		case tc.problem == "" && err != nil:
			t.Errorf("%s: %v", tc.text, err)
		case tc.problem == "":
			if got := c.Connections["books"].Reserve; got != tc.want {
				t.Errorf("%s: %+v", tc.text, got)
			}
		}
	}
}

// What an entry says wins over the defaults of its pipeline, and none takes a default back.
func TestDefaultsOfEntries(t *testing.T) {
	t.Parallel()
	c, err := entries(t, `      - crm/Accounts
      - {stream: crm/Contacts, since: none, priority: 0, sweep_every: 3d, max_age: none, delete_with_header: true, exclude_columns: []}
      - {stream: crm/Addresses, since: 2025-01-01, columns: [city]}
      - inventory/StockPositions`, `    defaults: {since: 2024-01-01, priority: 5, sweep_every: 30d, max_age: 36h, delete_with_header: false, exclude_columns: [modifier]}
    sweep_every: 10d
`)
	if err != nil {
		t.Fatal(err)
	}
	choices, err := c.Pipelines["nightly"].Choices(catalogue)
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, c := range choices {
		got[c.Stream.Name] = fmt.Sprint(moment(c.Since), c.Undated, c.Priority, c.SweepEvery, c.MaxAge, c.Follow, c.Columns, c.Exclude)
	}
	hours := func(n int) time.Duration { return time.Duration(n) * time.Hour }
	want := map[string]string{
		"crm/Accounts":             fmt.Sprint("2024-01-01", false, 5, hours(720), hours(36), false, []string(nil), []string{"Modifier"}),
		"crm/Contacts":             fmt.Sprint("", false, 0, hours(72), hours(0), true, []string(nil), []string(nil)),
		"crm/Addresses":            fmt.Sprint("2025-01-01", false, 5, hours(720), hours(36), false, []string{"City"}, []string(nil)),
		"inventory/StockPositions": fmt.Sprint("", true, 5, hours(720), hours(36), false, []string(nil), []string(nil)),
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// Functions with parameters, and endpoints that the catalogue lacks, are streams like any other.
func TestEntriesOfOnesOwn(t *testing.T) {
	t.Parallel()
	c, err := entries(t, `      - {stream: read/financial/AgingReceivablesListByAgeGroup, params: {ageGroup: 1}}
      - {stream: read/financial/AgingReceivablesListByAgeGroup, params: {agegroup: 2}, as: Second}
      - {stream: crm/News, path: "/api/v1/{division}/crm/Novelties", key: [ID], types: {ID: Guid, Name: VARCHAR}, modified: Modified, since: 2024-01-01, filter: "Name  ne  'a  b'"}
      - {stream: hrm/Log, path: beta/hrm/Log, types: {Text: String}, page_size: 100}`, "")
	if err != nil {
		t.Fatal(err)
	}
	choices, err := c.Pipelines["nightly"].Choices(catalogue)
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, c := range choices {
		v := c.Stream.Variants[0]
		got[c.Stream.Name] = fmt.Sprintf("%s %q %v %d %s %s", v.Table.FullName(), v.Query, v.Table.Key, v.Cursor, moment(c.Since), c.Filter)
	}
	want := map[string]string{
		"read/financial/AgingReceivablesListByAgeGroup": `financial.AgingReceivablesListByAgeGroup "ageGroup=1" [AccountId] 0  `,
		"read/financial/Second":                         `financial.Second "ageGroup=2" [AccountId] 0  `,
		"crm/News":                                      `crm.News "" [ID] 1 2024-01-01 Name ne 'a  b'`,
		"hrm/Log":                                       `hrm.Log "" [] 0  `,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	for word, want := range map[string]string{"CRM/news": "crm/News", "crm/Account?": "crm/Accounts"} {
		names, err := streamsCalled(choices, word)
		if err != nil || len(names) != 1 || names[0] != want {
			t.Errorf("%s means %v, %v", word, names, err)
		}
	}
	if name, err := streamCalled(choices, "READ/financial/second"); err != nil || name != "read/financial/Second" {
		t.Errorf("%s, %v", name, err)
	}
}
