package main

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"exactduck/auth"
	"exactduck/cmd/exactduck/config"
	"exactduck/extract/sandbox"
	"exactduck/load"
	"exactduck/load/spool"
	"exactduck/schema"
)

// What is masked: a column, a column of numbers, a property of a stream and properties that the
// catalogue lacks.
const (
	maskKey     = "a key of masks, long enough"
	bareStreams = "      - crm/Accounts\n      - crm/Contacts"
	maskLines   = `
    mask: {Email: hash, phone: drop, CreditLinePurchase: hash, BirthName: hash}
    mask_key: file:mask.key
`
)

// keeping has older files of both kinds kept.
const keeping = "    to: {duckdb: books.duckdb, parquet: lake/, keep: 2}\n"

// canaries are values that no file may hold once they are masked.
var canaries = []string{"canary-mail@example.com", "canary-phone", "canary-extra"}

// plant puts the canaries into all accounts and contacts.
func plant(t *testing.T, s *sandbox.Sandbox) {
	t.Helper()
	for _, path := range []string{"sync/CRM/Accounts", "sync/CRM/Contacts"} {
		err := errors.Join(
			s.DropProperty(path, "Email"), s.AddProperty(path, "Email", "Edm.String", canaries[0]),
			s.DropProperty(path, "Phone"), s.AddProperty(path, "Phone", "Edm.String", canaries[1]))
		if strings.HasSuffix(path, "Accounts") { // contacts have a column of that name
			err = errors.Join(err, s.AddProperty(path, "birthname", "Edm.String", canaries[2]))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// found are the files below a folder with a canary, or one of the words, in them, as bytes or, where these are compressed,
// as values.
func found(t *testing.T, dir string, words ...string) (all []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || !e.Type().IsRegular() || strings.HasSuffix(path, ".yaml") {
			return err
		}
		raw, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		switch filepath.Ext(path) {
		case ".spool":
			raw = append(raw, spooledText(t, path)...)
		case ".parquet":
			raw = append(raw, parquetText(t, path)...)
		}
		for _, canary := range slices.Concat(canaries, words) {
			if bytes.Contains(raw, []byte(canary)) {
				all = append(all, canary+" in "+strings.TrimPrefix(path, dir))
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func nothingFound(t *testing.T, dir string) {
	t.Helper()
	if all := found(t, dir); len(all) > 0 {
		t.Fatalf("masked values are on the disk:\n%s", strings.Join(all, "\n"))
	}
}

func spooledText(t *testing.T, path string) (text []byte) {
	t.Helper()
	file, err := spool.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	for page, err := range file.Read() {
		if err != nil {
			t.Fatal(err)
		}
		for _, v := range append(page.Columns, page.Extra) {
			text = append(text, v.Text...)
		}
	}
	return text
}

// parquetText are the values of a file of the lake, read by a reader that has nothing to do with it.
func parquetText(t *testing.T, path string) []byte {
	t.Helper()
	db, err := sql.Open("duckdb", "?threads=1")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	var text sql.NullString
	query := "SELECT string_agg(p::VARCHAR, '') FROM read_parquet('" + path + "', hive_partitioning = false) p"
	if err := db.QueryRowContext(t.Context(), query).Scan(&text); err != nil {
		t.Fatal(err)
	}
	return []byte(text.String)
}

func hashOf(key, text string) string {
	h := hmac.New(sha256.New, []byte(key))
	h.Write([]byte(text))
	return hex.EncodeToString(h.Sum(nil)[:16])
}

// writeKey makes the file of the key.
func writeKey(t *testing.T, dir, key string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, "mask.key"), []byte(key+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
}

// only is the one value of a query on the published file.
func (w *world) only(query string) string {
	w.t.Helper()
	return (&office{t: w.t, dir: w.dir}).ask(query)
}

const mails = "SELECT string_agg(DISTINCT coalesce(Email, 'NULL'), ' ') FROM (SELECT Email FROM crm.Accounts UNION ALL SELECT Email FROM crm.Contacts)"

// A mask that is added later takes the values off every file, even when the source cannot be reached;
// a hash is filled in by the next read, another key hashes anew, and without a mask all is as before.
func TestMasksComeAndGo(t *testing.T) {
	t.Parallel()
	w := newWorld(t, t.TempDir(), bareStreams, sandbox.Options{Divisions: 1, Scale: 0.05})
	w.pipelineLines = keeping
	w.reconfigure(bareStreams)
	plant(t, w.sandbox)
	writeKey(t, w.dir, maskKey)
	w.run(syncOptions{})
	w.clock.advance(time.Hour)
	if err := w.sandbox.Change(sandbox.Change{Entity: "crm/Accounts", Insert: 1}); err != nil {
		t.Fatal(err)
	}
	w.run(syncOptions{})
	seen := strings.Join(found(t, w.dir), "\n")
	for _, file := range []string{"books.work.duckdb", "/books.duckdb", "/books_2026", ".parquet"} {
		for _, canary := range canaries {
			if !strings.Contains(seen, canary+" in ") || !strings.Contains(seen, file) {
				t.Fatalf("without masks %s is not found in %s, so the search is of no use:\n%s", canary, file, seen)
			}
		}
	}
	credit := w.only("SELECT string_agg(CreditLinePurchase::VARCHAR, ' ' ORDER BY ID) FROM crm.Accounts WHERE CreditLinePurchase IS NOT NULL")

	w.pipelineLines = keeping + maskLines
	w.reconfigure(bareStreams)
	reach := w.books.dial
	w.books.dial = func(context.Context, string, schema.Scope) (*connection, error) { return nil, auth.ErrLoginRequired }
	if _, err := w.sync(t.Context(), w.pipeline(), syncOptions{}); !errors.Is(err, auth.ErrLoginRequired) {
		t.Fatalf("the run ends with %v", err)
	}
	nothingFound(t, w.dir)
	if got := w.only(mails); got != "NULL" {
		t.Errorf("published are %s, want nothing", got)
	}
	w.books.dial = reach

	w.clock.advance(time.Hour)
	w.run(syncOptions{})
	nothingFound(t, w.dir)
	if got := w.only(mails); got != hashOf(maskKey, canaries[0]) {
		t.Errorf("published are %s", got)
	}
	if got := w.only("SELECT any_value(_extra->>'birthname') FROM crm.Accounts"); got != hashOf(maskKey, canaries[2]) {
		t.Errorf("a property without a column is %s", got)
	}
	var hashed []string
	for text := range strings.FieldsSeq(credit) {
		hashed = append(hashed, hashOf(maskKey, text))
	}
	if got := w.only("SELECT coalesce(string_agg(CreditLinePurchase, ' ' ORDER BY ID), '') FROM crm.Accounts WHERE CreditLinePurchase IS NOT NULL"); got != strings.Join(hashed, " ") {
		t.Errorf("amounts are %s, want %s", got, strings.Join(hashed, " "))
	}
	w.clock.advance(time.Hour)
	if again := w.run(syncOptions{}); again.Published.DuckDB {
		t.Error("a night without changes publishes")
	}

	w.clock.advance(time.Hour)
	writeKey(t, w.dir, "another key, as long as that")
	w.run(syncOptions{})
	if got := w.only(mails); got != hashOf("another key, as long as that", canaries[0]) {
		t.Errorf("with another key published are %s", got)
	}

	w.clock.advance(time.Hour)
	w.pipelineLines = keeping
	w.reconfigure(bareStreams)
	w.run(syncOptions{})
	comparison{t, w.published(), w.pipeline(), w.sandbox}.equal()
	if got := w.only("SELECT count(*) FROM _exactduck.schema_changes WHERE change = 'misfit'"); got != "0" {
		t.Errorf("%s columns are said to hold what does not fit, and it was hashes", got)
	}
}

// Whatever a first load with masks is killed at, nothing that is masked is on the disk; and whatever
// the run is killed at that finds a new mask, the next one takes the values off it.
func TestKilledRunsLeaveNothingUnmasked(t *testing.T) {
	t.Parallel()
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	dice := rand.New(rand.NewPCG(seed, 0))
	bare := newOffice(t, bareStreams, sandbox.Options{Divisions: 1, Scale: 0.05})
	plant(t, bare.sandbox)
	fresh := bare.copy(t)
	fresh.configure(bareStreams + maskLines)
	writeKey(t, fresh.dir, maskKey)
	told := fresh.copy(t).steps("sync")
	for _, n := range append(some(dice, rounds(1, 100), len(told)), 1+slices.Index(told, "spooled page")) {
		t.Run(fmt.Sprintf("first load at %d, %s", n, told[n-1]), func(t *testing.T) {
			o := fresh.copy(t)
			o.kill(n, "sync")
			nothingFound(t, o.dir)
		})
	}

	bare.synced()
	at := slices.Index(bare.copy(t).steps("sync", "--full-refresh"), "spooled page")
	for n := 0; len(found(t, bare.file("state/spool"))) == 0; n++ {
		if !bare.kill(at+n, "sync", "--full-refresh") {
			t.Fatal("no half read is left")
		}
	}
	bare.configure(bareStreams + maskLines)
	writeKey(t, bare.dir, maskKey)
	told = bare.copy(t).steps("sync")
	first, last := slices.Index(told, "masking stored rows"), slices.Index(told, "purged")
	if first < 0 || last < first {
		t.Fatalf("the new mask is not told of: %q", told)
	}
	for _, n := range some(dice, rounds(3, 100), last-first) {
		n += first
		t.Run(fmt.Sprintf("new mask at %d, %s", n, told[n-1]), func(t *testing.T) {
			o := bare.copy(t)
			o.kill(n, "sync")
			o.run(0, "sync", "-q")
			nothingFound(t, o.dir)
			o.tidy()
			if got := o.ask(mails); got != hashOf(maskKey, canaries[0]) {
				t.Errorf("published are %s", got)
			}
		})
	}
}

// An answer that breaks off in the middle of a record is quoted nowhere.
func TestBrokenAnswersAreNotQuoted(t *testing.T) {
	t.Parallel()
	w := newWorld(t, t.TempDir(), bareStreams, sandbox.Options{Divisions: 1, Scale: 0.05})
	plant(t, w.sandbox)
	writeKey(t, w.dir, maskKey)
	w.pipelineLines = withLake + maskLines
	w.reconfigure(bareStreams)
	w.sandbox.Fault(sandbox.Fault{Path: "sync/CRM/Accounts", Kind: sandbox.Truncated, Times: -1})
	_, err := w.sync(t.Context(), w.pipeline(), syncOptions{})
	if err == nil {
		t.Fatal("the run ends well")
	}
	nothingFound(t, w.dir)
	for _, canary := range canaries {
		if strings.Contains(err.Error(), canary) {
			t.Errorf("the error quotes it: %v", err)
		}
	}
}

// The plan says what a new mask makes of what is stored.
func TestPlanOfANewMask(t *testing.T) {
	t.Parallel()
	accounts := func(rules string) *config.Choice {
		text := "version: 1\nconnections: {b: {type: exact-online, region: nl, client_id: a, client_secret: b}}\n" +
			"pipelines: {p: {streams: [crm/Accounts], to: {duckdb: w.duckdb}" + rules + "}}\n"
		c, err := config.Parse([]byte(text), "p.yaml", catalogue)
		if err != nil {
			t.Fatal(err)
		}
		_, _, err = (&books{config: c, getenv: func(string) (string, bool) { return maskKey, true }}).masked(c.Pipelines["p"])
		if err != nil {
			t.Fatal(err)
		}
		all, _, _ := (&books{config: c, getenv: func(string) (string, bool) { return maskKey, true }}).masked(c.Pipelines["p"])
		return all[0]
	}
	none, drop, hash := accounts(""), accounts(", mask: {Email: drop}"), accounts(`, mask: {Email: hash}, mask_key: "${K}"`)
	other := accounts(`, mask: {Email: hash}, mask_key: "${K}"`)
	other.MaskCheck = "another"
	v := none.Stream.Variants[0]
	for name, tc := range map[string]struct {
		was, is *config.Choice
		want    change
		drop    []string
	}{
		"none to drop": {none, drop, narrower, []string{"Email"}}, "none to hash": {none, hash, wider, nil},
		"drop to hash": {drop, hash, wider, nil}, "hash to drop": {hash, drop, narrower, []string{"Email"}},
		"hash to none": {hash, none, wider, nil}, "drop to none": {drop, none, wider, nil},
		"another key": {hash, other, wider, nil}, "the same": {hash, accounts(`, mask: {EMAIL: hash}, mask_key: "${K}"`), same, nil},
	} {
		got, n := compare(load.Cursor{Fingerprint: fingerprint(v, tc.was)}, tc.is, v)
		if got != tc.want || n != nil && !slices.Equal(n.drop, tc.drop) {
			t.Errorf("%s: got %d, want %d; %+v", name, got, tc.want, n)
		}
	}
}

// What a pipeline says of masks holds for all that lies in its file, whichever pipeline runs: in streams
// of another, each with its own key, at hand or not, and in those that none lists any more.
func TestMasksHoldWhicheverPipelineRuns(t *testing.T) {
	t.Parallel()
	c, err := config.Parse([]byte("version: 1\nconnections: {b: {type: exact-online, region: nl, client_id: a, client_secret: b}}\npipelines:\n"+
		"  one: {streams: [crm/Accounts], to: {duckdb: w.duckdb}}\n"+
		`  two: {streams: [crm/Contacts], to: {duckdb: w.duckdb}, mask: {Email: hash, Phone: drop, Passport: drop, InvoiceID: drop}, mask_key: "${K}"}`+"\n"), "p.yaml", catalogue)
	if err != nil {
		t.Fatal(err)
	}
	b := &books{config: c, getenv: func(string) (string, bool) { return "", false }}
	all, err := b.keepers(c.Pipelines["one"])
	if err != nil || len(all) != 1 || len(all[""]) != 2 {
		t.Fatalf("writers are %v, %v", all, err)
	}
	for name, tc := range map[string]struct {
		stream, stored string
		want           []string
	}{
		"of the other":       {"crm/Contacts", `{}`, []string{"Email", "InvoiceID", "Passport", "Phone"}},
		"masked, key absent": {"crm/Contacts", `{"mask":{"Email":"hash","Phone":"drop","Passport":"drop","InvoiceID":"drop"},"mask_key":"x"}`, nil},
		"of this one":        {"crm/Accounts", `{}`, nil},
		"of none any more":   {"crm/Addresses", `{}`, []string{"Email", "InvoiceID", "Passport", "Phone"}},
		"without its header": {"salesinvoice/SalesInvoiceLines", `{}`, []string{"Email", "Passport", "Phone"}},
		"deletions":          {"sync/Deleted", `{}`, nil},
	} {
		n := concealment(load.Cursor{Stream: tc.stream, Fingerprint: tc.stored}, asked(all[""], tc.stream))
		if !slices.Equal(n.Names, tc.want) {
			t.Errorf("%s: emptied are %v, want %v", name, n.Names, tc.want)
		}
	}
}
