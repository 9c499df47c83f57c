package sandbox

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// switchTexts say what each switch does.
var switchTexts = map[string]string{
	"minute_limit":     "calls a division may cost in a minute; below zero: no limit",
	"day_limit":        "calls a division may cost in a day; below zero: no limit",
	"bare_limits":      "refusals for a limit have no headers",
	"page_size":        "records in an answer, where that is fewer than Exact's; 0: as Exact",
	"others":           "calls a minute that another client takes of each division's quota",
	"mandatory_filter": "crm/Accounts and logistics/Items insist on a $filter",
	"count_everywhere": "bulk and sync obey $inlinecount too (not known of Exact)",
	"skip_token_life":  "how long a link to the next page works; 0: for ever (lapsing is not known of Exact)",
	"duplicates":       "sync feeds show beside a record what its last update replaced",
	"unreported":       "streams of lines, or *: sync/Deleted is silent on lines that go with their header (not known of Exact)",
}

// Manual lists what can be done to a running sandbox: the actions, what they take, and the switches.
func Manual() string {
	var b strings.Builder
	for _, a := range actions {
		fmt.Fprintf(&b, "   %-17s %s\n", a.name, a.about)
		if takes := a.usage(); takes != "" {
			fmt.Fprintf(&b, "   %-17s    %s\n", "", takes)
		}
	}
	b.WriteString("\nFault kinds: ")
	for i, k := range FaultKinds[:len(FaultKinds)-1] { // the last one is none
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(k)
	}
	fmt.Fprintf(&b, ".\nReasons of a 403: %s.\n\nSwitches:\n", strings.Join(Reasons, " "))
	for _, name := range slices.Sorted(maps.Keys(switchTexts)) {
		fmt.Fprintf(&b, "   %-17s %s\n", name, switchTexts[name])
	}
	return b.String()
}

// usage is what an action takes, with what need not be given in brackets.
func (a *action) usage() string {
	if a.name == "set" {
		return "[SWITCH=VALUE]…"
	}
	var words []string
	for _, t := range a.takes {
		word := t.name + "=" + t.kind.word
		if !t.must {
			word = "[" + word + "]"
		}
		words = append(words, word)
	}
	return strings.Join(words, " ")
}
