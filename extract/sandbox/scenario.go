package sandbox

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"

	"exactduck/extract/sandbox/internal/switches"
)

// Scenario is what happens in a sandbox by itself: at times, after calls, again and again. It is a
// YAML list of steps, each with one action and at most one moment:
//
//	# two hours after the start; the clock is the sandbox's
//	- at: 2h
//	  change: {entity: crm/Accounts, insert: 3, update: 2}
//	# every day, the first time after an hour, five times; without at after a day, without times for ever
//	- every: 1d
//	  at: 1h
//	  times: 5
//	  change: {entity: financial/TransactionLines, insert: 10}
//	# behind the reader: when crm/Accounts has been called twice, by whatever endpoint shows it
//	- after: 2 calls of crm/Accounts in 123456
//	  change: {entity: crm/Accounts, delete: 1}
//	- every: 10 calls
//	  fault: {kind: 503}
//	# at once
//	- set: {others: 30, skip_token_life: 10m}
//
// Actions and what they take are those of [Manual]. Nothing wakes the sandbox up: what is due by the
// clock happens before the next request is carried out, as of the moment at which it was due; what
// waits for calls, after the call. With a state file a scenario goes on where it was, but counts its
// calls anew; if the file of the scenario has changed, it begins anew.
type Scenario struct {
	sum    string // tells scenarios apart
	scenes []*scene
}

// scene is one step of a scenario.
type scene struct {
	at, every time.Duration
	calls     int // above zero: it waits for so many calls
	again     bool
	of        string // an endpoint or a stream; "": any
	in        int    // a division; 0: any
	times     int    // 0: no limit
	step      step
}

// ParseScenario reads a scenario. Errors name the file, by the name given, and the line.
func ParseScenario(name string, text []byte) (*Scenario, error) {
	file, err := parser.ParseBytes(text, 0)
	if err != nil {
		return nil, fmt.Errorf("%s%w", name, yamlProblem(err))
	}
	sum := sha256.Sum256(text)
	s := &Scenario{sum: hex.EncodeToString(sum[:])}
	var problems []error
	for _, document := range file.Docs {
		list, ok := document.Body.(*ast.SequenceNode)
		if !ok {
			if document.Body != nil {
				problems = append(problems, fmt.Errorf("%s:%d: a scenario is a list of steps, each beginning with a dash", name, lineOf(document.Body)))
			}
			continue
		}
		for _, node := range list.Values {
			x, wrong := parseScene(node)
			s.scenes = append(s.scenes, x)
			for _, w := range wrong {
				problems = append(problems, fmt.Errorf("%s:%w", name, w))
			}
		}
	}
	if len(problems) > 0 {
		return nil, errors.Join(problems...)
	}
	for i, x := range s.scenes {
		x.step.Scene = i + 1
	}
	return s, nil
}

func lineOf(n ast.Node) int {
	if t := n.GetToken(); t != nil && t.Position != nil {
		return t.Position.Line
	}
	return 1
}

func yamlProblem(err error) error {
	if located := yaml.Error(nil); errors.As(err, &located) && located.GetToken() != nil {
		return fmt.Errorf(":%d: %s", located.GetToken().Position.Line, located.GetMessage())
	}
	return fmt.Errorf(": %w", err)
}

// sceneParser reads one step and collects what is wrong with it.
type sceneParser struct {
	scene  *scene
	action *action
	wrong  []error
}

func (p *sceneParser) fail(n ast.Node, format string, args ...any) {
	p.wrong = append(p.wrong, fmt.Errorf("%d: "+format, append([]any{lineOf(n)}, args...)...))
}

func parseScene(node ast.Node) (*scene, []error) {
	p := &sceneParser{scene: &scene{}}
	entries, ok := node.(*ast.MappingNode)
	if !ok {
		p.fail(node, "a step has one action, like change, and at most one moment: at, every or after")
		return p.scene, p.wrong
	}
	for _, entry := range entries.Values {
		p.entry(entry)
	}
	switch x := p.scene; {
	case p.action == nil && len(p.wrong) == 0:
		p.fail(node, "there is nothing to do: %s", strings.Join(actionNames(), " "))
	case x.calls > 0 && (x.at > 0 || x.every > 0):
		p.fail(node, "a step waits for calls or for the clock, not for both")
	case x.every == 0 && !x.again && x.times > 0:
		p.fail(node, "times is for what happens every so often")
	}
	return p.scene, p.wrong
}

func actionNames() []string {
	var names []string
	for _, a := range actions {
		names = append(names, a.name)
	}
	return names
}

func (p *sceneParser) entry(entry *ast.MappingValueNode) {
	key, x := entry.Key.GetToken().Value, p.scene
	text, _ := scalar(entry.Value)
	var err error
	switch key {
	case "at":
		x.at, err = switches.Span(text)
	case "times":
		if x.times, err = strconv.Atoi(text); x.times < 1 {
			err = errors.Join(err, errors.New("below one"))
		}
	case "after":
		err = x.waitFor(text)
	case "every":
		err = x.repeat(text)
	default:
		p.do(entry, key)
		return
	}
	if err != nil || x.at < 0 {
		p.fail(entry.Value, "%s: %q is no %s", key, text, map[string]string{
			"at": "duration like 90s, 2h or 3d", "times": "number above zero", "after": "count of calls like 100 calls of crm/Accounts",
			"every": "duration like 24h, of a second at least, and no count of calls like 10 calls of crm/Accounts",
		}[key])
	}
}

var callCount = regexp.MustCompile(`^([1-9]\d{0,8}) calls?(?: of (\S+))?(?: in (\d{1,9}))?$`)

func (x *scene) waitFor(text string) error {
	m := callCount.FindStringSubmatch(text)
	if m == nil || !isPlace(m[2]) {
		return errors.New("no count of calls")
	}
	x.calls, _ = strconv.Atoi(m[1])
	x.of = m[2]
	x.in, _ = strconv.Atoi("0" + m[3])
	return nil
}

func (x *scene) repeat(text string) (err error) {
	if strings.Contains(text, "call") {
		x.again = true
		return x.waitFor(text)
	}
	if x.every, err = switches.Span(text); err == nil && x.every < time.Second {
		return errors.New("too short")
	}
	return err
}

// do reads the action of a step.
func (p *sceneParser) do(entry *ast.MappingValueNode, name string) {
	a := findAction(name)
	switch {
	case a == nil:
		p.fail(entry, "%q is no action and no moment; there are at every after times, and %s", name, strings.Join(actionNames(), " "))
		return
	case p.action != nil:
		p.fail(entry, "a step has one action, and this has %s already", p.action.name)
		return
	}
	p.action = a
	texts, nodes := map[string]string{}, map[string]ast.Node{"": entry}
	switch n := entry.Value.(type) {
	case *ast.NullNode:
	case *ast.MappingNode:
		for _, e := range n.Values {
			key := e.Key.GetToken().Value
			text, ok := scalar(e.Value)
			if !ok {
				p.fail(e, "%s: one value is expected here", key)
			}
			texts[key], nodes[key] = text, e
		}
	default:
		p.fail(entry, "%s takes its parameters as {name: value}", name)
		return
	}
	g, wrong := a.read(texts)
	for key, err := range wrong {
		p.fail(nodes[key], "%w", err)
	}
	p.scene.step = a.build(g)
}

// scalar is the text of a value, or of a list of values with spaces between them.
func scalar(n ast.Node) (string, bool) {
	switch n := n.(type) {
	case *ast.NullNode:
		return "", true
	case *ast.MappingNode:
		return "", false
	case *ast.SequenceNode:
		var words []string
		for _, v := range n.Values {
			words = append(words, v.GetToken().Value)
		}
		return strings.Join(words, " "), true
	}
	return n.GetToken().Value, true
}

// play is how far a scenario has come.
type play struct {
	sum   string
	began time.Time
	done  map[int]int // how often each scene, counted from 1, was performed
	seen  map[int]int // calls, in this process
}

func (s *Sandbox) redoScenario(x step, _ stamp) error {
	s.play = play{x.Name, time.Unix(0, x.At), map[int]int{}, map[int]int{}}
	return nil
}

// played counts a scene; steps are redone under the lock.
func (s *Sandbox) played(x step) {
	if s.play.done != nil {
		s.play.done[x.Scene]++
	}
}

// stage begins the scenario of the options, or goes on with it.
func (s *Sandbox) stage() error {
	s.scenario = s.options.Scenario
	if s.scenario == nil || s.play.sum == s.scenario.sum {
		return nil
	}
	return s.locked(step{Op: "scenario", Name: s.scenario.sum})
}

// playTime performs what is due by the clock.
func (s *Sandbox) playTime() {
	if s.scenario == nil {
		return
	}
	s.script.Lock()
	defer s.script.Unlock()
	for now := s.now(); ; {
		x, due := s.nextScene(now)
		if x == nil {
			return
		}
		s.perform(x, due)
	}
}

// nextScene is the scene that has been due for the longest.
func (s *Sandbox) nextScene(now time.Time) (next *scene, due time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, x := range s.scenario.scenes {
		done := s.play.done[x.step.Scene]
		if x.calls > 0 || x.times > 0 && done >= x.times || x.every == 0 && done > 0 {
			continue
		}
		at := s.play.began.Add(cmp.Or(x.at, x.every) + time.Duration(done)*x.every)
		if !at.After(now) && (next == nil || at.Before(due)) {
			next, due = x, at
		}
	}
	return next, due
}

// playCalls performs what waited for a call that has just been answered.
func (s *Sandbox) playCalls(path string) {
	if s.scenario == nil {
		return
	}
	s.script.Lock()
	defer s.script.Unlock()
	for _, x := range s.called(path) {
		s.perform(x, s.now())
	}
}

// called counts a call, and finds the scenes that waited for it.
func (s *Sandbox) called(path string) []*scene {
	s.mu.Lock()
	defer s.mu.Unlock()
	a := parseAddress(path)
	v := s.view(a.path)
	return slices.Collect(func(yield func(*scene) bool) {
		for _, x := range s.scenario.scenes {
			n := x.step.Scene
			if v == nil || x.calls == 0 || x.in > 0 && x.in != a.division || x.of != "" && !covers(x.of, v) {
				continue
			}
			s.play.seen[n]++
			over := x.times > 0 && s.play.done[n] >= x.times
			if over || x.again && s.play.seen[n]%x.calls > 0 || !x.again && (s.play.done[n] > 0 || s.play.seen[n] < x.calls) {
				continue
			}
			yield(x)
		}
	})
}

// perform does what a scene says. What cannot be done is passed over.
func (s *Sandbox) perform(x *scene, due time.Time) {
	next := x.step
	next.At = due.UnixNano()
	if next.Fault != nil {
		f := *next.Fault
		next.Fault = &f
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	done := s.play.done[next.Scene]
	err := s.do(next)
	if s.play.done[next.Scene] == done { // it was refused before it was written down
		err = errors.Join(err, s.do(step{Op: "scene", At: next.At, Scene: next.Scene}))
	}
	if err != nil {
		s.log.Warn("step of the scenario without effect", "step", next.Op, "error", err)
	}
}
