package config_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"exactduck/cmd/exactduck/config"
)

// change replaces a part of the minimal configuration, which must be there.
func change(t *testing.T, old, replacement string) string {
	t.Helper()
	if !strings.Contains(minimal, old) {
		t.Fatalf("no %q in the minimal configuration", old)
	}
	return strings.Replace(minimal, old, replacement, 1)
}

func TestProblemsAreNamedWithTheirPlace(t *testing.T) {
	for _, test := range []struct{ name, old, replacement, want, hint string }{
		{"unknown key", "region:", "regoin:", `5:5: unknown key "regoin"`, "did you mean region?"},
		{"unknown key at the top", "version: 1", "version: 1\nstate_dri: x", `2:1: unknown key "state_dri"`, "did you mean state_dir?"},
		{"unknown key of a stream", "[crm/Accounts]", "[{stream: crm/Accounts, snce: 2020-01-01}]", `10:38: unknown key "snce"`, "did you mean since?"},
		{"duplicate key", "region: nl", "region: nl\n    region: be", `6:5: YAML syntax: mapping key "region" already defined at [5:5]`, ""},
		{"second document", "pipelines:\n", "pipelines:\n  x:\n---\nversion: 1\npipelines:\n", "10:1: a second document begins here", "--config"},
		{"wrong type", "version: 1", "version: one", "1:10: wrong kind of value: a whole number is expected here", ""},
		{"list for a text", "region: nl", "region: [nl]", "5:13: wrong kind of value: a text is expected here", ""},
		{"text for a block", "to: {duckdb: warehouse.duckdb}", "to: warehouse.duckdb", "11:9: wrong kind of value", ""},
		{"tab", "    region: nl", "\tregion: nl", "5:1: YAML syntax:", ""},
		{"no version", "version: 1\n", "", "1:1: version: is missing", "write version: 1"},
		{"later version", "version: 1", "version: 2", "1:10: version: this exactduck knows only version 1", ""},
		{"bad region", "region: nl", "region: xx", `5:13: connections.books.region: there is no region "xx"; there are nl be de uk fr es us`, ""},
		{"no region", "    region: nl\n", "", "3:3: connections.books.region: is missing", "write region:"},
		{"region and address", "region: nl", "region: nl\n    base_url: https://start.exactonline.be", "6:15: connections.books.base_url: base_url and region are both given", ""},
		{"plain http", "region: nl", "base_url: http://example.com", "must begin with https://", ""},
		{"address with a path", "region: nl", "base_url: https://start.exactonline.nl/api", "must end with the host", ""},
		{"no type", "    type: exact-online\n", "", "connections.books.type: is missing", "write type: exact-online"},
		{"other type", "type: exact-online", "type: sap", `4:11: connections.books.type: there is no source "sap"`, ""},
		{"no secret", "    client_secret: ${EXACT_CLIENT_SECRET}\n", "", "3:3: connections.books.client_secret: is missing", "EXACT_CLIENT_SECRET"},
		{"half a reference", "${EXACT_CLIENT_SECRET}", "abc${X}", "7:20: connections.books.client_secret: refers to a variable in a way", ""},
		{"bad redirect", "region: nl", "region: nl\n    redirect_url: http://example.com/cb", "6:19: connections.books.redirect_url: must begin with https://", ""},
		{"bad token store", "region: nl", "region: nl\n    token_store: keyring", `6:18: connections.books.token_store: there is no token store "keyring"`, "encrypted-file"},
		{"no token key", "region: nl", "region: nl\n    token_store: encrypted-file", "connections.books.token_key: is missing", "exactduck auth key"},
		{"token key alone", "region: nl", "region: nl\n    token_key: ${KEY}", "6:16: connections.books.token_key: is of no use without token_store", "encrypted-file"},
		{"literal token key", "region: nl", "region: nl\n    token_store: encrypted-file\n    token_key: AGE-SECRET-KEY-1X", "7:16: connections.books.token_key: must not be written into this file", "file:PATH"},
		{"half a token key", "region: nl", "region: nl\n    token_store: encrypted-file\n    token_key: x${KEY}", "7:16: connections.books.token_key: refers to a variable", ""},
		{"bad language", "region: nl", "region: nl\n    language: dutch", `"dutch" is no language`, ""},
		{"bad server zone", "region: nl", "region: nl\n    server_timezone: Mars", `"Mars" is no time zone`, ""},
		{"bad division of a connection", "region: nl", "region: nl\n    division: -3", "-3 is no division code", ""},
		{"bad prefix", "region: nl", "region: nl\n    schema_prefix: 1-", "cannot begin the name of a schema", ""},
		{"empty connection", "    type: exact-online\n    region: nl\n    client_id: ${EXACT_CLIENT_ID}\n    client_secret: ${EXACT_CLIENT_SECRET}\n", "", "3:3: connections.books: is empty", ""},
		{"bad name", "nightly:", "nightly run:", `"nightly run" cannot be a name`, ""},
		{"unknown connection", "    streams:", "    from: bocks\n    streams:", `10:11: pipelines.nightly.from: there is no connection "bocks"`, "did you mean books?"},
		{"unknown stream", "[crm/Accounts]", "\n      - crm/Acounts", `11:9: pipelines.nightly.streams[1].stream: there is no stream "crm/Acounts", did you mean crm/Accounts`, "exactduck endpoints"},
		{"no stream matches", "[crm/Accounts]", "[nonsense/*]", `there is no stream "nonsense/*"`, ""},
		{"not pullable", "[crm/Accounts]", "[sync/Deleted]", "cannot be pulled", ""},
		{"no such variant", "[crm/Accounts]", "[standard/sync/CRM/Accounts]", "10:15: pipelines.nightly.streams[1].stream: there is no stream", ""},
		{"no streams", "streams: [crm/Accounts]", "streams: []", "10:5: pipelines.nightly.streams: there is none", ""},
		{"stream twice", "[crm/Accounts]", "[crm/Accounts, CRM/accounts]", "10:29: pipelines.nightly.streams[2]: crm/Accounts is in this pipeline already, at line 10", ""},
		{"bad date", "[crm/Accounts]", "[{stream: crm/Accounts, since: 2020-13-01}]", `10:45: pipelines.nightly.streams[1].since: "2020-13-01" is no date`, ""},
		{"unknown column", "[crm/Accounts]", "[{stream: crm/Accounts, exclude_columns: [Nmae]}]", `there is no column "Nmae"`, "did you mean Name?"},
		{"key column", "[crm/Accounts]", "[{stream: crm/Accounts, exclude_columns: [id]}]", "id is part of the key or the cursor of crm/Accounts", ""},
		{"cursor column", "[crm/Accounts]", "[{stream: crm/*, exclude_columns: [Timestamp]}]", "Timestamp is part of the key or the cursor", ""},
		{"bad duration", "    to:", "    sweep_every: often\n    to:", `11:18: pipelines.nightly.sweep_every: "often" is no duration`, ""},
		{"bad deletes", "    to:", "    deletes: maybe\n    to:", `11:14: pipelines.nightly.deletes: "maybe" is not known`, ""},
		{"bad schedule", "    to:", "    schedule: daily\n    to:", `11:15: pipelines.nightly.schedule: "daily" is no schedule`, ""},
		{"schedule of six fields", "    to:", "    schedule: 0 15 4 * * *\n    to:", `11:15: pipelines.nightly.schedule: "0 15 4 * * *" is no schedule: it has 6 fields`, "write five fields"},
		{"long jitter", "    to:", "    jitter: 13h\n    to:", `11:13: pipelines.nightly.jitter: 13h0m0s is too long`, "12h or less"},
		{"bad zone", "    to:", "    timezone: Amsterdam\n    to:", `"Amsterdam" is no time zone`, ""},
		{"empty division", "    to:", `    divisions: [""]` + "\n    to:", "11:17: pipelines.nightly.divisions[1]: an empty division", ""},
		{"division zero", "    to:", "    divisions: 0\n    to:", "0 is no division code", ""},
		{"all and another", "    to:", "    divisions: [all, 1]\n    to:", "all and others are both given", ""},
		{"no file", "{duckdb: warehouse.duckdb}", "{parquet: lake}", "11:5: pipelines.nightly.to.duckdb: is missing", ""},
		{"bad partition", "{duckdb: warehouse.duckdb}", "{duckdb: w.duckdb, parquet: lake, partition: month}", `11:54: pipelines.nightly.to.partition: "month" is not known`, "year"},
		{"nothing to divide", "{duckdb: warehouse.duckdb}", "{duckdb: w.duckdb, partition: year}", "11:39: pipelines.nightly.to.partition: is of no use without parquet", ""},
		{"keeps too many", "{duckdb: warehouse.duckdb}", "{duckdb: w.duckdb, keep: 401}", "11:34: pipelines.nightly.to.keep: 401 is not between 0 and 400", ""},
		{"keeps less than none", "{duckdb: warehouse.duckdb}", "{duckdb: w.duckdb, keep: -1}", "-1 is not between 0 and 400", ""},
		{
			"one file, kept differently", "[crm/Accounts]\n    to: {duckdb: warehouse.duckdb}",
			"[crm/Accounts]\n    to: {duckdb: warehouse.duckdb, keep: 2}\n  second:\n    streams: [crm/Contacts]\n    to: {duckdb: warehouse.duckdb, keep: 3}",
			"14:42: pipelines.second.to.keep: another pipeline that writes warehouse.duckdb keeps 2", "the same",
		},
		{
			"one lake, divided differently", "[crm/Accounts]\n    to: {duckdb: warehouse.duckdb}",
			"[crm/Accounts]\n    to: {duckdb: w.duckdb, parquet: lake}\n  second:\n    streams: [crm/Contacts]\n    to: {duckdb: w.duckdb, parquet: lake, partition: year}",
			"pipelines.second.to.partition: another pipeline that writes lake says otherwise", "the same",
		},
		{"name of a schema", "warehouse.duckdb", "crm.duckdb", "11:18: pipelines.nightly.to.duckdb: a file called crm cannot hold a schema called crm", ""},
		{"name of the views", "warehouse.duckdb", "analytics.duckdb", "11:18: pipelines.nightly.to.duckdb: a file called analytics cannot hold a schema called analytics", ""},
		{"name of a schema of DuckDB", "warehouse.duckdb", "Temp.duckdb", "a file called Temp cannot hold", ""},
		{
			"one name, two files", "[crm/Accounts]\n    to: {duckdb: warehouse.duckdb}",
			"[crm/Accounts]\n    to: {duckdb: warehouse.duckdb}\n  second:\n    streams: [crm/Contacts]\n    to: {duckdb: other/Warehouse.db}",
			"14:18: pipelines.second.to.duckdb: ", "otherwise",
		},
		{
			"one stream, two pipelines", "[crm/Accounts]\n    to: {duckdb: warehouse.duckdb}",
			"[crm/Accounts]\n    to: {duckdb: warehouse.duckdb}\n  second:\n    streams: [crm/*]\n    to: {duckdb: ./warehouse.duckdb}",
			"13:5: pipelines.second.streams: crm/Accounts is in pipeline nightly too", "two files",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := config.Parse([]byte(change(t, test.old, test.replacement)), "pipelines.yaml", catalogue)
			var wrong *config.Error
			if !errors.As(err, &wrong) {
				t.Fatalf("no problem was found: %v", err)
			}
			p := wrong.Problems[0]
			if got := fmt.Sprintf("%d:%d: %s", p.Line, p.Column, p.Message); !strings.Contains(got, test.want) {
				t.Errorf("got  %s\nwant %s", got, test.want)
			}
			if !strings.Contains(p.Hint, test.hint) {
				t.Errorf("hint %q, want %q", p.Hint, test.hint)
			}
			if p.Excerpt == "" {
				t.Error("no excerpt")
			}
		})
	}
}

func TestTwoConnectionsOfOneWarehouseNeedAPrefix(t *testing.T) {
	text := `version: 1
connections:
  nl: {type: exact-online, region: nl, client_id: a, client_secret: b}
  be: {type: exact-online, region: be, client_id: a, client_secret: b%s}
pipelines:
  one: {from: nl, streams: [crm/Accounts], to: {duckdb: w.duckdb}}
  two: {from: be, streams: [crm/Accounts], to: {duckdb: w.duckdb}}
`
	_, err := config.Parse(fmt.Appendf(nil, text, ""), "p.yaml", catalogue)
	if err == nil || !strings.Contains(err.Error(), "connections nl and be would write the same tables of w.duckdb") {
		t.Errorf("got %v", err)
	}
	if _, err := config.Parse(fmt.Appendf(nil, text, ", schema_prefix: be_"), "p.yaml", catalogue); err != nil {
		t.Errorf("with a prefix: %v", err)
	}
}

func TestAllProblemsAreReportedInTheOrderOfTheFile(t *testing.T) {
	text := strings.NewReplacer("region: nl", "region: xx", "crm/Accounts", "crm/Nothing", "version: 1", "version: 7").Replace(minimal)
	_, err := config.Parse([]byte(text), "p.yaml", catalogue)
	var wrong *config.Error
	if !errors.As(err, &wrong) || len(wrong.Problems) != 3 {
		t.Fatalf("got %v", err)
	}
	for i, line := range []int{1, 5, 10} {
		if wrong.Problems[i].Line != line {
			t.Errorf("problem %d is at line %d, want %d", i, wrong.Problems[i].Line, line)
		}
	}
	if !strings.HasSuffix(err.Error(), "(and 2 more)") {
		t.Error(err)
	}
}

func TestEmptyFiles(t *testing.T) {
	for _, text := range []string{"", "\n\n", "# only a comment\n", "---\n", "~\n", "[]\n", "text\n", "\xff\xfe"} {
		_, err := config.Parse([]byte(text), "p.yaml", catalogue)
		if _, ok := errors.AsType[*config.Error](err); !ok {
			t.Errorf("%q: got %v", text, err)
		}
	}
}

func TestSecretsStayOutOfProblems(t *testing.T) {
	for _, text := range []string{
		change(t, "client_secret: ${EXACT_CLIENT_SECRET}", "client_secret: {hush: hush}"),
		change(t, "client_secret: ${EXACT_CLIENT_SECRET}", "client_secret: \"hush"),
		change(t, "client_secret: ${EXACT_CLIENT_SECRET}", "clientsecret: hush"),
		change(t, "client_secret: ${EXACT_CLIENT_SECRET}", "client_secret: hush${"),
		change(t, "client_secret: ${EXACT_CLIENT_SECRET}", "client_secret: hush\n    client_secret: hush"),
		change(t, "region: nl", "base_url: https://hush@example.com"),
	} {
		_, err := config.Parse([]byte(text), "p.yaml", catalogue)
		var wrong *config.Error
		if !errors.As(err, &wrong) {
			t.Fatalf("got %v", err)
		}
		for _, p := range wrong.Problems {
			if strings.Contains(p.Message+p.Hint, "hush") || strings.Contains(text, "client") && strings.Contains(p.Excerpt, "secret: hush") {
				t.Errorf("%+v", p)
			}
		}
	}
	if got := fmt.Sprintf("%v %s %#v", config.Secret("hush"), config.Secret("hush"), config.Secret("hush")); strings.Contains(got, "hush") {
		t.Error(got)
	}
}

func FuzzConfig(f *testing.F) {
	f.Add([]byte(minimal))
	f.Add([]byte("version: 1\npipelines: {a: &x {streams: [*x]}}"))
	f.Add([]byte("connections:\n  a: ~\npipelines:\n  b: ~\n"))
	f.Add([]byte("? [a]\n: b\n"))
	f.Add([]byte("<<: *a"))
	f.Fuzz(func(t *testing.T, text []byte) {
		c, err := config.Parse(text, "p.yaml", catalogue)
		if err == nil {
			c.Warnings()
			for _, name := range c.PipelineNames() {
				if _, err := c.Pipelines[name].Choices(catalogue); err != nil {
					t.Errorf("accepted, and yet: %v", err)
				}
			}
			return
		}
		var wrong *config.Error
		if !errors.As(err, &wrong) || len(wrong.Problems) == 0 {
			t.Errorf("error of type %T: %v", err, err)
		}
	})
}
