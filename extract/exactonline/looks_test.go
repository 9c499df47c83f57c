package exactonline

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the golden files anew")

// likeMoney are the names that an amount of money mostly has.
var likeMoney = regexp.MustCompile(`(?i)amount|price|balance|cost|value|budget|revenue|turnover|discount|credit|debit|wage|salary|fee|total|paid|payment|vat(dc|fc)?$`)

// TestColumnsThatLookOtherwise keeps a list for reviewers: the floating-point columns that look like
// money and are kept as doubles, and the amounts that do not look like any. Whoever decides otherwise,
// or brings new columns, shows it here. "go test -update" writes it anew.
func TestColumnsThatLookOtherwise(t *testing.T) {
	lists := map[bool]map[string][]string{false: {}, true: {}} // by whether it is money, and column: streams
	for _, e := range Endpoints() {
		stream := joined(streamName(e))
		for _, p := range e.Properties {
			money := amounts().money(stream, p.Name)
			if p.Edm == edmDouble && money != likeMoney.MatchString(p.Name) && !slices.Contains(lists[money][p.Name], stream) {
				lists[money][p.Name] = append(lists[money][p.Name], stream)
			}
		}
	}
	var b strings.Builder
	for _, section := range []struct {
		heading string
		money   bool
	}{{"# looks like money, and is DOUBLE", false}, {"\n# DECIMAL(18,4), and does not look like money", true}} {
		fmt.Fprintln(&b, section.heading)
		var lines []string
		for column, streams := range lists[section.money] {
			slices.Sort(streams)
			lines = append(lines, column+": "+strings.Join(streams, " "))
		}
		slices.Sort(lines)
		fmt.Fprintln(&b, strings.Join(lines, "\n"))
	}
	golden := filepath.Join("testdata", "amounts.golden")
	if *update {
		if err := os.WriteFile(golden, []byte(b.String()), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if b.String() != string(want) {
		t.Errorf("the list has changed; look at it, and if it is right: go test ./extract/exactonline -run %s -update\n%s", t.Name(), changedLines(string(want), b.String()))
	}
}

// changedLines are the lines that only one of two texts has.
func changedLines(was, is string) string {
	var b strings.Builder
	for _, way := range []struct{ sign, of, other string }{{"-", was, is}, {"+", is, was}} {
		for line := range strings.Lines(way.of) {
			if !slices.Contains(slices.Collect(strings.Lines(way.other)), line) {
				b.WriteString(way.sign + " " + line)
			}
		}
	}
	return b.String()
}
