package sandbox

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"exactduck/extract/sandbox/internal/switches"
)

// action is what can be done to a sandbox while it runs: by a POST under /_sandbox/, or as a step of
// a scenario.
type action struct {
	name, about string
	takes       []taken
	build       func(g given) step
}

// taken is what an action can be given.
type taken struct {
	name string
	kind takenKind
	must bool
}

// takenKind reads what an action is given from text, and says in a word what it should be.
type takenKind struct {
	word string
	read func(text string) (any, error)
}

// given is what an action was given.
type given map[string]any

func (g given) text(name string) string { v, _ := g[name].(string); return v }
func (g given) number(name string) int  { v, _ := g[name].(int); return v }
func (g given) yes(name string) bool    { v, _ := g[name].(bool); return v }
func (g given) span() time.Duration     { v, _ := g["delay"].(time.Duration); return v }

var (
	anyText = takenKind{"TEXT", func(text string) (any, error) { return text, nil }}
	anyJSON = takenKind{"VALUE", func(text string) (any, error) {
		var v any
		if json.Unmarshal([]byte(text), &v) != nil {
			return text, nil
		}
		return v, nil
	}}
	whole = takenKind{"NUMBER", func(text string) (any, error) {
		n, err := strconv.Atoi(text)
		return n, err
	}}
	natural = takenKind{"NUMBER", func(text string) (any, error) {
		n, err := strconv.ParseUint(text, 10, 31)
		return int(n), err
	}}
	yesOrNo = takenKind{"yes|no", func(text string) (any, error) {
		switch text {
		case "1", "true", "yes":
			return true, nil
		case "0", "false", "no", "":
			return false, nil
		}
		return nil, errors.New("neither")
	}}
	span   = takenKind{"DURATION", func(text string) (any, error) { return switches.Span(text) }}
	entity = takenKind{"STREAM", func(text string) (any, error) { _, err := findSet(text); return text, err }}
	place  = takenKind{"PATH", func(text string) (any, error) {
		if !isPlace(text) {
			return nil, errors.New("no endpoint and no stream")
		}
		return text, nil
	}}
	demanded = oneOf("filter|select", Filter, Select)
	edm      = oneOf("EDM-TYPE", edmTypes...)
	reason   = oneOf("REASON", append([]string{""}, Reasons...)...)
	faults   = takenKind{"KIND", func(text string) (any, error) {
		if !slices.Contains(FaultKinds, text) {
			return nil, fmt.Errorf("none of the faults")
		}
		return text, nil
	}}
)

func oneOf(word string, list ...string) takenKind {
	return takenKind{word, func(text string) (any, error) {
		if !slices.Contains(list, text) {
			return nil, fmt.Errorf("none of %s", strings.TrimSpace(strings.Join(list, " ")))
		}
		return text, nil
	}}
}

// isPlace says whether a text names an endpoint or a stream, or with "" everything.
func isPlace(text string) bool {
	if text == "" {
		return true
	}
	for _, v := range published().views {
		if covers(text, v) {
			return true
		}
	}
	return false
}

// The parameters that most actions take.
var (
	inOffice   = taken{"division", natural, false}
	theOffice  = taken{"division", natural, true}
	somewhere  = taken{"path", place, false}
	atEndpoint = taken{"path", place, true}
	named      = taken{"name", anyText, true}
)

// actions are listed in the order in which the manual has them.
var actions []*action

// plainStep gives a step where, and who or why.
func plainStep(op string) func(given) step {
	return func(g given) step {
		return step{Op: op, Division: g.number("division"), Path: g.text("path"), Name: g.text("name"), Reason: g.text("reason")}
	}
}

func demandStep(yes bool) func(given) step {
	return func(g given) step {
		return step{Op: "require", Path: g.text("path"), Name: g.text("what"), To: g.text("property"), Yes: yes}
	}
}

func driftStep(op string) func(given) step {
	return func(g given) step {
		return step{Op: op, Path: g.text("path"), Name: g.text("name"), To: g.text("to"), Edm: g.text("type"), Value: g["value"]}
	}
}

func archiveStep(yes bool) func(given) step {
	return func(g given) step {
		return step{Op: "archive division", Division: g.number("division"), Yes: yes}
	}
}

func changeStep(g given) step {
	return step{Op: "change", Change: &Change{
		Division: g.number("division"), Entity: g.text("entity"), Insert: g.number("insert"), Update: g.number("update"),
		Delete: g.number("delete"), Late: g.yes("late"),
	}}
}

func faultStep(g given) step {
	return step{Op: "fault", Fault: &Fault{
		Kind: g.text("kind"), Path: g.text("path"), Query: g.text("query"), Nth: g.number("nth"), Times: g.number("times"), Delay: g.span(),
	}}
}

func setStep(g given) step {
	x := step{Op: "set", Set: map[string]string{}}
	for name, v := range g {
		x.Set[name], _ = v.(string)
	}
	return x
}

func init() {
	actions = []*action{
		{"change", "people work in the books: records are inserted, updated, deleted; late ones show at the next commit", []taken{
			{"entity", entity, true}, {"insert", natural, false}, {"update", natural, false}, {"delete", natural, false}, {"late", yesOrNo, false}, inOffice,
		}, changeStep},
		{"commit", "what was changed late becomes visible, with the Timestamps it was given then", []taken{inOffice}, plainStep("commit")},
		{"move", "the division moves to another database: all Timestamps become others, lower unless up", []taken{inOffice, {"up", yesOrNo, false}}, func(g given) step {
			return step{Op: "move", Division: g.number("division"), Yes: g.yes("up")}
		}},
		{"link", "HR is linked: leave and absence records get other IDs", []taken{inOffice}, plainStep("link")},
		{"revoke", "lists are empty from now on, without an error; no path: all lists", []taken{somewhere, inOffice}, plainStep("revoke")},
		{"restore", "ends what revoke began, under the same path", []taken{somewhere, inOffice}, plainStep("restore")},
		{"forbid", "answers 403 from now on; without a division in all of them", []taken{somewhere, {"reason", reason, false}, inOffice}, plainStep("forbid")},
		{"allow", "ends what forbid began, under the same path and division", []taken{somewhere, inOffice}, plainStep("allow")},
		{"require", "the endpoint insists on a $filter or a $select", []taken{atEndpoint, {"what", demanded, true}}, demandStep(true)},
		{"relax", "ends what require began", []taken{atEndpoint, {"what", demanded, true}}, demandStep(false)},
		{"refuse_filter", "the endpoint refuses to filter on the property; without one, to filter", []taken{atEndpoint, {"property", anyText, false}}, demandStep(true)},
		{"accept_filter", "ends what refuse_filter began", []taken{atEndpoint, {"property", anyText, false}}, demandStep(false)},
		{"add_property", "all records have another property, of this value", []taken{atEndpoint, named, {"type", edm, true}, {"value", anyJSON, false}}, driftStep("add")},
		{"drop_property", "the property is gone: selecting it is an error", []taken{atEndpoint, named}, driftStep("drop")},
		{"rename_property", "the property is called otherwise, its values stay", []taken{atEndpoint, named, {"to", anyText, true}}, driftStep("rename")},
		{"retype_property", "the property is of another type", []taken{atEndpoint, named, {"type", edm, true}}, driftStep("retype")},
		{"add_division", "a company is founded", []taken{{"name", anyText, false}}, plainStep("add division")},
		{"remove_division", "a company is out of reach", []taken{theOffice}, plainStep("remove division")},
		{"rename_division", "a company has another name", []taken{theOffice, named}, plainStep("rename division")},
		{"archive_division", "a company is archived", []taken{theOffice}, archiveStep(true)},
		{"reopen_division", "a company is active again", []taken{theOffice}, archiveStep(false)},
		{"fault", "something goes wrong, on the nth call whose address and query hold these texts, and times in a row (-1: for ever)", []taken{
			{"kind", faults, false}, {"path", anyText, false}, {"query", anyText, false}, {"nth", natural, false}, {"times", whole, false}, {"delay", span, false},
		}, faultStep},
		{"clear_faults", "faults are over", nil, plainStep("clear faults")},
		{"set", "rules change: any of the switches below", switchesTaken(), setStep},
	}
}

// switchesTaken lets an action take every switch.
func switchesTaken() []taken {
	var list []taken
	for _, name := range switches.Names(&Options{}) {
		list = append(list, taken{name, takenKind{"", func(text string) (any, error) {
			var o Options
			return text, switches.Set(&o, name, text)
		}}, false})
	}
	return list
}

func findAction(name string) *action {
	i := slices.IndexFunc(actions, func(a *action) bool { return a.name == name })
	if i < 0 {
		return nil
	}
	return actions[i]
}

// read takes what an action is given from texts, and reports all that is wrong with them, by name;
// "" is what is missing.
func (a *action) read(texts map[string]string) (given, map[string]error) {
	g, wrong := given{}, map[string]error{}
	for name := range texts {
		if !slices.ContainsFunc(a.takes, func(t taken) bool { return t.name == name }) {
			wrong[name] = fmt.Errorf("%s takes no %s, but %s", a.name, name, strings.Join(a.names(), " "))
		}
	}
	for _, t := range a.takes {
		text, ok := texts[t.name]
		switch v, err := t.kind.read(text); {
		case !ok && t.must:
			wrong[""] = fmt.Errorf("%s needs %s", a.name, t.name)
		case !ok:
		case err != nil:
			wrong[t.name] = fmt.Errorf("%s: %q cannot be: %w", t.name, text, err)
		default:
			g[t.name] = v
		}
	}
	if len(wrong) == 0 && a.name == "add_property" {
		if _, err := fromJSON(g["value"], g.text("type")); err != nil {
			wrong["value"] = err
		}
	}
	return g, wrong
}

func (a *action) names() []string {
	list := []string{}
	for _, t := range a.takes {
		list = append(list, t.name)
	}
	return list
}
