package pay

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"exactduck/extract/sandbox/internal/switches"
)

// switchTexts say what each switch does.
var switchTexts = map[string]string{
	"filters":          "obeyed, ignored or refused",
	"ignored_filters":  "properties by which nothing is filtered: updatedAt; also from and to of orders",
	"sorts":            "spellings of $sort that are obeyed: object plain colon, or none",
	"natural":          "order of what is not sorted: inserted, newest, scattered",
	"unstable_ties":    "rows that are equal in what they are sorted by come in any order",
	"page_cap":         "rows in an answer, whatever $limit says; 0: 100",
	"page_all":         "accounts and codes are paged too",
	"hollow":           "every so many pages of a list that is paged are empty, though rows follow; 0: none",
	"ragged":           "… have fewer rows than were asked for",
	"repeat":           "… begin with the last row of the page before",
	"counts":           "totals are exact, absent, wrong (too high), low, those of the page, or of all whatever is filtered",
	"appear":           "before every so many lists a row appears in what is listed; 0: never",
	"vanish":           "before every so many lists a row vanishes from it; 0: never",
	"token_life":       "how long a user token is good without being used; 0: 2h",
	"token_rigid":      "… or altogether",
	"password_expired": "logins answer 403",
	"lacking":          "status for a missing permission outside payments and orders: 401 or 403",
	"payments_401":     "payments and orders answer 401 to a token that is none, and not 403",
	"partner":          "what an organization's token gets at /payments, /customer and /orders: all, none, refused",
	"hide_refunds":     "lists have no refunds and voids",
	"disabled_refused": "what belongs to a disabled account is refused",
	"exclusive_to":     "orders made in the last instant of a window are not in it",
	"customer_object":  "one customer alone is listed without an array",
	"customer_created": "customers of an account are listed with status 201",
	"rate_limit":       "requests a token has in a minute; 0: no limit",
	"bare_limits":      "refusals for a limit have no Retry-After",
}

// Manual lists what can be done to a running sandbox: the actions, what they take, and the switches.
func Manual() string {
	var b strings.Builder
	for _, a := range actions {
		fmt.Fprintf(&b, "   %-17s %s\n", a.name, a.about)
		if takes := switches.Names(a.takes()); len(takes) > 0 && a.name != "set" {
			fmt.Fprintf(&b, "   %-17s    %s\n", "", strings.Join(takes, " "))
		}
	}
	fmt.Fprintf(&b, "\nFault kinds: %s.\nResources: %s.\n\nSwitches:\n", strings.Join(FaultKinds, ", "), strings.Join(Resources[:5], " "))
	for _, name := range slices.Sorted(maps.Keys(switchTexts)) {
		fmt.Fprintf(&b, "   %-17s %s\n", name, switchTexts[name])
	}
	return b.String()
}
