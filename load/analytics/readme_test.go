package analytics_test

import (
	"os"
	"strings"
	"testing"
)

// Each example of the README answers on the sandbox's companies as it stands there, with rows; but
// the one that looks for entries that do not add up.
func TestExamplesOfTheReadme(t *testing.T) {
	text, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, r := company(t)
	r.do("USE books")
	_, chapter, _ := strings.Cut(string(text), "\n## Ready views\n")
	chapter, _, _ = strings.Cut(chapter, "\n## ")
	asked := map[string]bool{}
	for block := range strings.SplitSeq(chapter, "```sql\n") {
		block, _, _ = strings.Cut(block, "```")
		for query := range strings.SplitSeq(block, ";") {
			query = uncommented(query)
			switch {
			case strings.HasPrefix(query, "SET "):
				r.do(query)
			case strings.HasPrefix(query, "SELECT "):
				if rows := r.rows(query); len(rows) == 0 && !strings.Contains(query, "HAVING sum(amount) <> 0") {
					t.Errorf("nothing comes of\n%s", query)
				}
				for _, v := range r.rows("SELECT view_name FROM duckdb_views() WHERE schema_name = 'analytics'") {
					asked[v] = asked[v] || strings.Contains(query, "analytics."+v)
				}
			}
		}
	}
	for v, ok := range asked {
		if !ok && v != "completeness" && v != "labels" && v != "divisions" {
			t.Errorf("the README has no example of %s", v)
		}
	}
	if len(asked) < 18 {
		t.Errorf("%d views", len(asked))
	}
}

func uncommented(query string) string {
	var kept []string
	for line := range strings.Lines(query) {
		if !strings.HasPrefix(line, "--") {
			kept = append(kept, line)
		}
	}
	return strings.TrimSpace(strings.Join(kept, ""))
}
