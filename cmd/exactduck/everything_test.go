package main

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"exactduck/extract/exactonline"
	"exactduck/extract/sandbox"
	"exactduck/load"
)

// Every endpoint that can be pulled is, in one run of each rank: the cheapest variants of all
// streams, then the second of those that have one, then the third. Nothing is said of any of them
// but their names, and every table equals what its endpoint has.
func TestEverythingIsRead(t *testing.T) {
	t.Parallel()
	asked := map[string]bool{}
	for rank := range 3 {
		var names []string
		for _, s := range exactonline.Streams() {
			switch {
			case rank < len(s.Variants) && rank > 0:
				names = append(names, s.Variants[rank].Kind+"/"+s.Name)
			case rank == 0:
				names = append(names, s.Name)
			}
		}
		w := newWorld(t, t.TempDir(), streamLines(names...), sandbox.Options{Divisions: 1, Scale: 0.1, MinuteLimit: 10_000})
		w.run(syncOptions{})
		w.equal()
		for _, r := range w.wire.calls(0) {
			asked[documented(r.path)] = asked[documented(r.path)] || r.status == 200 && !strings.Contains(r.query, "$top=1")
		}
		t.Logf("%d streams in one run, with %d calls", len(names), len(w.wire.calls(0)))
	}
	pullable := 0
	for _, e := range exactonline.Endpoints() {
		if !e.Pullable {
			continue
		}
		if pullable++; !asked[documented(e.Path)] {
			t.Errorf("%s was not read", e.Path)
		}
	}
	if pullable != 374 {
		t.Errorf("%d endpoints can be pulled, want 374", pullable)
	}
}

var divisionInPath = regexp.MustCompile(`^(/api/v1/(?:beta/)?)(?:\d+|\{division\})/`)

// documented is a path without its division.
func documented(path string) string {
	return strings.ToLower(divisionInPath.ReplaceAllString(path, "$1"))
}

// called is a function with the parameters that a configuration gives it.
type called struct {
	stream string
	params map[string]any
}

// functions are twenty, with parameters of every kind: texts, numbers, dates, truths and keys of
// records that there are.
func functions(w *world) []called {
	key := func(stream string) any { return w.sandbox.Records(0, stream)[0]["ID"] }
	account, item, project := key("crm/Accounts"), key("logistics/Items"), key("project/Projects")
	checked := time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC)
	return []called{
		{"read/crm/AccountDocumentFolders", map[string]any{"accountId": account}},
		{"read/crm/AccountDocuments", map[string]any{"accountId": account, "searchText": "it's", "useFullTextSearch": false}},
		{"read/crm/DefaultAddressForAccount", map[string]any{"accountId": account, "addressType": 1}},
		{"read/crm/OpportunityDocuments", map[string]any{"opportunityId": key("crm/Opportunities"), "searchText": "offerte & zo"}},
		{"read/financial/AgingOverviewByAccount", map[string]any{"accountId": account}},
		{"read/financial/AgingPayablesListByAgeGroup", map[string]any{"ageGroup": 1}},
		{"read/financial/AgingReceivablesListByAgeGroup", map[string]any{"ageGroup": 2}},
		{"read/financial/PayablesListByAccount", map[string]any{"accountId": account}},
		{"read/financial/ReceivablesListByAccount", map[string]any{"accountId": account}},
		{"read/financial/ReceivablesListByAccountAndAgeGroup", map[string]any{"accountId": account, "ageGroup": 1}},
		{"read/financial/ReceivablesListByAgeGroup", map[string]any{"ageGroup": 1}},
		{"read/financial/RevenueListByYear", map[string]any{"year": 2026}},
		{"read/financial/RevenueListByYearAndStatus", map[string]any{"year": 2026, "afterEntry": true}},
		{"read/logistics/AccountItems", map[string]any{"accountId": account}},
		{"read/logistics/ItemDetailsByID", map[string]any{"itemId": item}},
		{"read/mailbox/PreferredMailboxForOperation", map[string]any{"operation": 1}},
		{"read/project/CostsByDate", map[string]any{"checkDate": checked}},
		{"read/project/HourTypesByProjectAndDate", map[string]any{"projectId": project, "checkDate": checked}},
		{"read/project/ProjectWBSByProject", map[string]any{"projectId": project}},
		{"read/project/RecentCostsByNumberOfWeeks", map[string]any{"numberOfWeeks": 4}},
	}
}

// entry is what a person writes into the configuration.
func (c called) entry() string {
	var params []string
	for name, value := range c.params {
		switch v := value.(type) {
		case time.Time:
			params = append(params, name+": "+v.Format(time.DateOnly))
		case string:
			params = append(params, fmt.Sprintf("%s: %q", name, v))
		default:
			params = append(params, fmt.Sprintf("%s: %v", name, v))
		}
	}
	return fmt.Sprintf("{stream: %s, params: {%s}}", c.stream, strings.Join(params, ", "))
}

// Functions run from the configuration: twenty of them in one run, and their tables hold what they
// answer for these parameters.
func TestFunctionsAreRead(t *testing.T) {
	t.Parallel()
	w := newWorld(t, t.TempDir(), "      - crm/Accounts", sandbox.Options{Divisions: 1, Scale: 0.5})
	all := functions(w)
	var entries []string
	for _, c := range all {
		entries = append(entries, c.entry())
	}
	w.reconfigure(streamLines(entries...))
	w.run(syncOptions{})
	reader, err := load.OpenReader(t.Context(), w.published())
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	division, filled := w.sandbox.Divisions()[0], 0
	choices, err := w.pipeline().Choices(catalogue)
	if err != nil || len(all) != 20 || len(choices) != 20 {
		t.Fatalf("%d functions are %d streams, %v", len(all), len(choices), err)
	}
	for _, c := range choices {
		at := slices.IndexFunc(all, func(f called) bool { return f.stream == c.Stream.Name })
		endpoint, table := exactonline.EndpointOf(c.Stream.Variants[0]), identified(c.Stream.Variants[0])
		records, err := w.sandbox.RecordsOf(division, endpoint.Path, all[at].params)
		if err != nil {
			t.Fatal(err)
		}
		truth := map[string]map[string]any{}
		for _, r := range records {
			truth[keyOf(table, textOf(division), func(name string) string { return textOf(r[name]) })] = r
		}
		if len(truth) > 0 {
			filled++
		}
		comparison{t: t}.same(table, textOf(division), tableRows(t, reader, table), truth, false)
	}
	if filled < 12 {
		t.Errorf("only %d functions answer with records", filled)
	}
	t.Logf("of %d functions %d answer with records", len(all), filled)
}
