package exactonline

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"exactduck/extract"
	"exactduck/schema"

	"github.com/google/go-cmp/cmp"
)

// everyKind is a variant with a column of every type.
var everyKind = &extract.Variant{
	Name: "crm/Everything", Kind: "standard", Table: everyType, Dated: modifiedName,
	Origin: &Endpoint{Kind: "standard", Path: "/api/v1/{division}/crm/Everything", Properties: []Property{
		{Name: "Timestamp", Edm: edmInt64},
		{Name: "ID", Edm: edmGUID},
		{Name: "Flag", Edm: edmBoolean},
		{Name: "Tiny", Edm: edmByte},
		{Name: "Small", Edm: edmInt16},
		{Name: "Number", Edm: edmInt32},
		{Name: "Rate", Edm: edmDouble},
		{Name: "Amount", Edm: edmDouble},
		{Name: "Modified", Edm: edmDateTime},
		{Name: "Name", Edm: edmString},
		{Name: "Picture", Edm: edmBinary},
		{Name: "Document", Edm: edmString},
	}},
}

// The first record has everything, the second nothing.
const twoRecords = `{"d":[{"Timestamp":"9007199254740993","ID":"cc20a11b-c137-48cc-8e55-09d4adbd4ac9","Flag":true,"Tiny":200,"Small":-3,
	"Number":42,"Rate":1.5,"Amount":100.1,"Modified":"/Date(1706718600000)/","Name":"  Jansen's Café  ","Picture":"aGk=","Document":{"a":1}},{}]}`

func judged(t *testing.T, text string, exact bool) string {
	t.Helper()
	f, err := parseFilter(text, everyKind)
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	f.exact = exact
	d := newDecoder(everyType, "1")
	f.bind(d.wide)
	d.where, d.marks = f, true
	page, _, err := d.decode([]byte(twoRecords))
	if err != nil {
		t.Fatal(err)
	}
	kept := ""
	for i := range page.Rows {
		if page.Out == nil || !page.Out[i] {
			kept += []string{"full", "empty"}[i] + " "
		}
	}
	return strings.TrimSpace(kept)
}

func TestFiltersAreJudgedAsTheServiceDoes(t *testing.T) {
	for text, want := range map[string]string{
		"Number eq 42": "full", "Number ne 42": "empty", "Number gt 41": "full", "Number ge 42": "full", "Number lt 42": "",
		"Number le 42L": "full", "Number ge -1": "full", "NUMBER eq 42": "full",
		"Number eq 42.0": "full", "Number lt 42.5d": "full", "Rate eq 1.5M": "full", "Rate gt 1.4e0": "full", "Rate le 1": "",
		"Amount eq 100.1": "full", "Amount eq 100.10m": "full", "Amount lt 100.1": "", "Amount gt 100": "full",
		"Timestamp eq 9007199254740993L": "full", "Timestamp gt 9007199254740992": "full", "Timestamp eq 9007199254740992": "",
		"Tiny eq 200": "full", "Small lt 0": "full",
		// null
		"Number eq null": "empty", "Number ne null": "full", "null eq Number": "empty", "not (Number gt 5)": "empty", "Name eq null": "empty",
		"Picture ne null": "full", "Document eq null": "empty", "null eq null": "full empty",
		"Name ne 'x'": "full empty", "startswith(Name,'  J')": "full", "not startswith(Name,'  J')": "", "not startswith(Name,'x')": "full",
		"startswith(Name,'x') eq false": "full", "startswith(Name,'x') eq null": "empty", "length(Name) eq null": "empty",
		// truth
		"Flag": "full", "Flag eq true": "full", "Flag eq false": "", "Flag ne true": "empty", "not Flag": "", "not (Flag eq true)": "empty",
		"true": "full empty", "false or Flag": "full", "not not Flag": "full",
		"Flag and startswith(Name,'  J') or false": "full", "not (Flag or startswith(Name,'x'))": "",
		"startswith(Name,'x') or Number eq null": "empty", "(startswith(Name,'x') and Flag) or true": "full empty",
		"Number eq 1 and Number eq 2 or Number eq 42": "full", "Number eq 42 or Number eq 1 and Number eq 2": "full",
		"(Number eq 42 or Number eq 1) and Number eq 2": "",
		// texts
		"Name eq '  JANSEN''S CAFÉ'": "full", "Name eq 'Jansen''s Café'": "", "trim(Name) eq 'jansen''s café'": "full",
		"tolower(trim(Name)) eq 'jansen''s café'": "full", "toupper(Name) ne null": "full", "substringof('CAF',Name)": "full",
		"substringof('caf', Name) eq true": "full", "endswith(trim(Name),'É')": "full", "length(trim(Name)) eq 13": "full", "Name gt '  a'": "full",
		"trim(Name) gt 'k'": "",
		// times: 2024-01-31T16:30:00
		"Modified ge datetime'2024-01-31T16:30:00'": "full", "Modified gt datetime'2024-01-31T16:30'": "", "Modified lt datetime'2024-02-01'": "full",
		"year(Modified) eq 2024 and month(Modified) eq 1 and day(Modified) eq 31": "full", "Modified eq datetime'2024-01-31'": "",
		"ID eq guid'CC20A11B-C137-48CC-8E55-09D4ADBD4AC9'": "full", "ID ne guid'cc20a11b-c137-48cc-8e55-09d4adbd4ac9'": "empty",
	} {
		if got := judged(t, text, false); got != want {
			t.Errorf("%s keeps %q, want %q", text, got, want)
		}
	}
	for text, want := range map[string]string{
		"Name eq '  Jansen''s Café  '": "full", "Name eq '  Jansen''s Café'": "", "substringof('CAF',Name)": "", "substringof('Caf',Name)": "full",
	} {
		if got := judged(t, text, true); got != want {
			t.Errorf("to the letter %s keeps %q, want %q", text, got, want)
		}
	}
}

func TestBadFiltersSayWhere(t *testing.T) {
	for text, want := range map[string]struct {
		at      int
		problem string
	}{
		"":                         {0, "missing"},
		"Number":                   {6, "expected eq"},
		"Number EQ 1":              {7, "lower case: eq"},
		"Number eq":                {9, "missing"},
		"Number eq 1 2":            {12, "expected and, or or the end"},
		"Number eq 1 and":          {15, "missing"},
		"Numbr eq 1":               {0, "did you mean Number"},
		"Name eq 5":                {5, "a text ('…') cannot be compared with a number"},
		"Name eq \"x\"":            {8, "mean here"},
		"Name eq 'x":               {8, "never closed"},
		"Modified gt '2024-01-01'": {9, "a date (datetime'2024-01-31') cannot be compared with a text"},
		"Modified gt datetime'x'":  {12, "a date is written"},
		"Modified gt datetime'2024-01-01T00:00:00Z'": {12, "without a zone"},
		"ID eq guid'x'": {6, "a GUID is written"},
		"ID gt guid'cc20a11b-c137-48cc-8e55-09d4adbd4ac9'": {3, "only be compared with eq and ne"},
		"Flag gt true":                      {5, "only be compared with eq and ne"},
		"Number gt null":                    {7, "null can only"},
		"Picture eq 'x'":                    {8, "only be compared with null"},
		"Number eq 1.2.3":                   {10, "no number"},
		"Number eq 12x":                     {10, "no number"},
		"Number eq 0x10":                    {10, "no number"},
		"Number eq 99999999999999999999":    {10, "no number"},
		"Number eq 1.5L":                    {10, "no number"},
		"Number eq 1 and (Number eq 2":      {28, "expected )"},
		"(Number eq 1) eq true":             {14, "cannot be compared"},
		"not Flag eq true":                  {4, "parentheses"},
		"not Number":                        {4, "parentheses"},
		"indexof(Name,'x') eq 1":            {0, "there are day, endswith"},
		"startswith(Name)":                  {15, "takes 2"},
		"startswith(Name,'x','y')":          {19, "expected )"},
		"startswith(Number,'x')":            {11, "takes a text ('…') here, not a number"},
		"length(Name)":                      {12, "expected eq"},
		"X'00' eq Picture":                  {0, "neither datetime nor guid"},
		"Account/Name eq 'x'":               {7, "mean here"},
		"Number eq 1 & Number eq 2":         {12, "mean here"},
		"Number add 1 eq 2":                 {7, "expected eq"},
		strings.Repeat("(", 60) + "Flag":    {51, "nested"},
		strings.Repeat("not ", 60) + "Flag": {204, "nested"},
		strings.Repeat(" ", 9000):           {8000, "longer"},
	} {
		_, err := parseFilter(text, everyKind)
		bad, ok := errors.AsType[*BadFilter](err)
		if !ok || bad.At != want.at || !strings.Contains(bad.Problem, want.problem) {
			t.Errorf("%s: %v, want at %d: %s", text, err, want.at, want.problem)
		}
	}
}

func TestCheckFilterTakesWhatOneVariantCanDo(t *testing.T) {
	s, _, err := Lookup("crm/Accounts")
	if err != nil {
		t.Fatal(err)
	}
	if err := CheckFilter(s, "blocked eq true and Country eq 'NL'"); err != nil {
		t.Error(err)
	}
	err = CheckFilter(s, "Blockd eq true")
	if bad, ok := errors.AsType[*BadFilter](err); !ok || !strings.Contains(bad.Problem, "sync/CRM/Accounts has no column") {
		t.Error(err)
	}
	for _, c := range []struct {
		stream, text string
		asked        bool
	}{
		{"standard/crm/Accounts", "EndDate eq null and Modified ge datetime'2024-01-01'", true},
		{"bulk/crm/Accounts", "EndDate eq null", true}, // no restriction is documented
		{"bulk/crm/Addresses", "City eq 'x'", false},
		{"bulk/crm/Addresses", "Account eq guid'cc20a11b-c137-48cc-8e55-09d4adbd4ac9'", true},
		{"sync/crm/Accounts", "EndDate eq null", false},
		{"standard/crm/Accounts", "Nothing eq 1", false},
	} {
		_, v, err := Lookup(c.stream)
		if err != nil {
			t.Fatal(err)
		}
		if got := FilterWhere(v, c.text); got != c.asked {
			t.Errorf("%s, %s: asked %v", c.stream, c.text, got)
		}
	}
	function, err := Call("read/financial/ReceivablesListByAgeGroup", map[string]any{"ageGroup": 1}, "")
	if err != nil || FilterWhere(function.Variants[0], "Amount gt 1") || CheckFilter(function, "Amount gt 1") != nil {
		t.Errorf("%v: a function is asked for a filter", err)
	}
}

const aFilter = "name eq 'a' and Country eq 'NL '"

func filtered(t *testing.T, variant string, from schema.Position) extract.Read {
	t.Helper()
	r := accounts(t, variant, from)
	r.Filter = aFilter
	return r
}

func named(n int, name, country string) string {
	return fmt.Sprintf(`{"Timestamp":"%d","ID":"00000000-0000-0000-0000-%012d","Name":%q,"Country":%q,"Modified":"/Date(1782000000000)/"}`, n, n, name, country)
}

func TestTheServiceIsAskedForAFilter(t *testing.T) {
	e := &exact{clock: at(noon), answer: func(string, string) (int, string) { return 200, list("", named(1, "a", "NL ")) }}
	r := filtered(t, "standard", "")
	mustCollect(t, e.source(t, nil), r)
	r.Since = newYear
	mustCollect(t, e.source(t, nil), r)
	want := []string{
		"/api/v1/123/crm/Accounts?$select=ID,Modified,Name&$filter=Name eq 'a' and Country eq 'NL '",
		"/api/v1/123/crm/Accounts?$select=ID,Modified,Name&$filter=(Modified ge datetime'2026-01-01T00:00:00') and (Name eq 'a' and Country eq 'NL ')",
	}
	if diff := cmp.Diff(want, e.asked); diff != "" {
		t.Error(diff)
	}
}

// Country is not stored, yet asked for; of the row it leaves nothing.
func TestAFilterIsAppliedHere(t *testing.T) {
	records := []string{named(1, "A ", "NL"), named(2, "b", "NL "), named(3, "a", "BE "), named(4, "a", "NL ")}
	e := &exact{clock: at(noon), answer: func(string, string) (int, string) { return 200, list("", records...) }}
	page := mustCollect(t, e.source(t, nil), filtered(t, "sync", ""))
	if want := "/api/v1/123/sync/CRM/Accounts?$select=Timestamp,ID,Modified,Name,Country&$filter=Timestamp gt 0L"; e.asked[0] != want {
		t.Errorf("asked %s", e.asked[0])
	}
	if got := page.Columns[0].Ints; !cmp.Equal(got, []int64{1, 4}) || page.Out != nil || page.Extra.Valid[0] || page.Unknown != nil || len(page.Columns) != 4 {
		t.Errorf("%q, out %v", rows(page), page.Out)
	}
	if page.Next != `{"v":1,"kind":"timestamp","timestamp":4}` {
		t.Errorf("cursor %s", page.Next)
	}
	exactly := e.source(t, func(c *Config) { c.TextExact = true })
	if page := mustCollect(t, exactly, filtered(t, "sync", "")); page.Rows != 1 {
		t.Errorf("to the letter: %q", rows(page))
	}
}

// What a row was before, the warehouse may hold.
func TestReadsFromACursorMarkWhatAFilterDoesNotWant(t *testing.T) {
	records := []string{named(1, "a", "NL "), named(2, "b", "NL ")}
	e := &exact{clock: at(noon), answer: func(string, string) (int, string) { return 200, list("", records...) }}
	for variant, want := range map[string]struct {
		from  schema.Position
		asked string
	}{
		"sync":     {`{"v":1,"kind":"timestamp","timestamp":7}`, "sync/CRM/Accounts?$select=Timestamp,ID,Modified,Name,Country&$filter=Timestamp gt 7L"},
		"standard": {`{"v":1,"kind":"modified","modified":"2026-01-01T00:00:00"}`, "crm/Accounts?$select=ID,Modified,Name,Country&$filter=Modified ge datetime'2026-01-01T00:00:00'"},
	} {
		e.asked = nil
		page := mustCollect(t, e.source(t, nil), filtered(t, variant, want.from))
		if !cmp.Equal(page.Out, []bool{false, true}) || page.Rows != 2 {
			t.Errorf("%s: %q, out %v", variant, rows(page), page.Out)
		}
		if e.asked[0] != "/api/v1/123/"+want.asked {
			t.Errorf("asked %s", e.asked[0])
		}
	}
	records = records[:1]
	if page := mustCollect(t, e.source(t, nil), filtered(t, "sync", `{"v":1,"kind":"timestamp"}`)); page.Out != nil {
		t.Errorf("out %v", page.Out)
	}
}

// A resumed read filters where it began to.
func TestAResumedReadFiltersWhereItBegan(t *testing.T) {
	cut, refuse := true, true
	e := &exact{clock: at(noon), answer: func(path, query string) (int, string) {
		switch {
		case refuse && strings.Contains(query, "Country eq"):
			return 400, refusal("This $filter parameter is not supported for this resource")
		case !strings.Contains(query, "skiptoken"):
			return 200, list(host+path+"?$skiptoken=1", named(1, "a", "NL "), named(2, "b", "NL "))
		case cut:
			return 403, ""
		}
		return 200, list("", named(3, "a", "NL "), named(4, "b", "NL "))
	}}
	r := filtered(t, "standard", "")
	pages, err := collect(t, e.source(t, nil), r)
	if err == nil || len(pages) != 1 || pages[0].Rows != 1 {
		t.Fatalf("%v after %d pages", err, len(pages))
	}
	cut = false
	r.Resume = pages[0].Next
	if last := mustCollect(t, e.source(t, nil), r); last.Rows != 1 {
		t.Errorf("refused at first: %q", rows(last))
	}
	refuse = false
	r.Resume = ""
	for page, err := range e.source(t, nil).Pages(t.Context(), r) {
		if err != nil {
			t.Fatal(err)
		}
		r.Resume = page.Next
		break
	}
	if last := mustCollect(t, e.source(t, nil), r); last.Rows != 2 { // the script does not filter, and is trusted
		t.Errorf("asked: %q", rows(last))
	}
}

func TestAWrongFilterMakesNoCall(t *testing.T) {
	e := &exact{clock: at(noon), answer: func(string, string) (int, string) { return 200, list("") }}
	r := accounts(t, "sync", "")
	r.Filter = "Nonsense"
	_, err := collect(t, e.source(t, nil), r)
	if bad, ok := errors.AsType[*BadFilter](err); !ok || len(e.asked) > 0 {
		t.Errorf("%v %v after %d calls", bad, err, len(e.asked))
	}
}

func FuzzFilter(f *testing.F) {
	for _, text := range []string{
		"Number eq 42 and (Flag or not startswith(tolower(Name),'a''b'))", "Modified ge datetime'2024-01-31T00:00:00'", "ID eq guid'cc20a11b-c137-48cc-8e55-09d4adbd4ac9'",
		"((((Flag))))", "not not not Flag", "Rate lt -1.5e-3d", "'", "year(Modified) eq 2024", "substringof('é',Name) eq true",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		parsed, err := parseFilter(text, everyKind)
		if err != nil {
			bad, ok := errors.AsType[*BadFilter](err)
			if !ok || bad.At < 0 || bad.At > len(text) {
				t.Fatalf("%q: %v", text, err)
			}
			return
		}
		again, err := parseFilter(parsed.text, everyKind)
		if err != nil || again.text != parsed.text {
			t.Fatalf("%q is respelled %q: %v", text, parsed.text, err)
		}
		if a, b := judged(t, text, false), judged(t, parsed.text, false); a != b {
			t.Fatalf("%q keeps %q, respelled %q", text, a, b)
		}
	})
}
