package config

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net/url"
	"slices"
	"strings"
	"time"
)

// Alert is somebody who is told when something is wrong and when it is well again, or a dead-man
// service that is called after each success. An entry has one of webhook, command and ping. It changes
// nothing that is loaded, and whoever cannot be told changes no exit code.
type Alert struct {
	// Name is what messages call the entry. Default: its kind and a number made of where its address
	// comes from. Another name is another receiver, which is told again what is still wrong.
	Name string `yaml:"name"`
	// Webhook is the address that a message is posted to, and a secret: ${VARIABLE} or file:PATH. The
	// address itself is taken too, with a warning. https; http only for this machine. It must not lead
	// on to another host.
	Webhook Secret `yaml:"webhook"`
	// As is the form of what is posted: generic (default) is JSON, slack is for an incoming webhook, and
	// teams is an Adaptive Card for a workflow of Power Automate ("When a Teams webhook request is
	// received"), which took the place of the connectors of old.
	As string `yaml:"as"`
	// Command is a program and its arguments, run without a shell in the folder of the file. It gets the
	// generic JSON on its standard input, has 30 seconds, and what it started ends with it.
	Command []string `yaml:"command"`
	// Ping is the address of a dead-man service, and a secret like webhook. It is called after each run
	// of a pipeline that ended well; where there are several pipelines, give each its own.
	Ping Secret `yaml:"ping"`
	// On are the kinds of alerts that are told: failure partial login expiring stale budget drift shrink
	// check missed. Default: all. When it is over is told in any case.
	On []string `yaml:"on"`
	// Pipelines are those that it is about. Default: all. What is about a login is told in any case.
	Pipelines []string `yaml:"pipelines"`
	// Repeat is after how long what is still wrong is told again, or none. Default 24h.
	Repeat Duration `yaml:"repeat"`
}

// DefaultRepeat is the default of [Alert.Repeat].
const DefaultRepeat = 24 * time.Hour

// AlertKinds and AlertShapes are the words that on: and as: take.
var (
	AlertKinds  = []string{"failure", "partial", "login", "expiring", "stale", "budget", "drift", "shrink", "check", "missed"}
	AlertShapes = []string{"generic", "slack", "teams"}
)

// Label is the name of the entry, or what stands for it. It tells nothing of an address: it is made of
// the reference to it.
func (a *Alert) Label() string {
	if a.Name != "" {
		return a.Name
	}
	kind := cmp.Or(a.As, "webhook")
	switch {
	case len(a.Command) > 0:
		kind = "command"
	case a.Ping != "":
		kind = "ping"
	case kind == "generic":
		kind = "webhook"
	}
	sum := sha256.Sum256([]byte(strings.Join(append(a.Command, string(a.Webhook), string(a.Ping)), "\x00")))
	return kind + "-" + hex.EncodeToString(sum[:3])
}

// Every is after how long what is still wrong is told again; 0: never.
func (a *Alert) Every() time.Duration {
	if a.Repeat.none {
		return 0
	}
	return cmp.Or(a.Repeat.Duration, DefaultRepeat)
}

// AlertAddress finds the address of an entry of alerts, by its place; "" for a command. Errors are of
// type *[SecretError].
func (c *Config) AlertAddress(at int, lookup func(string) (string, bool)) (string, error) {
	key, s := "webhook", c.Alerts[at].Webhook
	if s == "" {
		key, s = "ping", c.Alerts[at].Ping
	}
	if s == "" {
		return "", nil
	}
	address, err := c.resolveAt(s, lookup, "alerts", at, key)
	if err != nil {
		return "", err
	}
	if problem := addressProblem(address); problem != "" {
		failure := c.secretFailure("alerts", at, key)
		failure.Variable, failure.File = s.source(c)
		failure.Err = errors.New(problem)
		return "", failure
	}
	return address, nil
}

func (k *checker) alerts(all []Alert) {
	taken := map[string]bool{}
	for i := range all {
		at, a := path{"alerts", i}, &all[i]
		k.alert(at, a)
		if taken[a.Label()] {
			k.report(at, "give each a name: of its own", "there is another entry called %s", a.Label())
		}
		taken[a.Label()] = true
	}
}

func (k *checker) alert(at path, a *Alert) {
	given := slices.DeleteFunc([]bool{a.Webhook != "", len(a.Command) > 0, a.Ping != ""}, func(there bool) bool { return !there })
	if len(given) != 1 {
		k.report(at, "write webhook: ${ALERT_URL}, or command: [program, argument], or ping: ${PING_URL}", "needs one of webhook, command and ping")
		return
	}
	if a.Name != "" {
		k.name(at.to("name"), a.Name)
	}
	k.alertAddress(at.to("webhook"), a.Webhook)
	k.alertAddress(at.to("ping"), a.Ping)
	switch {
	case a.As != "" && a.Webhook == "":
		k.report(at.to("as"), "leave it out", "is of no use without webhook")
	case a.As != "" && !slices.Contains(AlertShapes, a.As):
		k.report(at.to("as"), "write one of "+strings.Join(AlertShapes, " "), "%q is not known", a.As)
	}
	if slices.Contains(a.Command, "") {
		k.report(at.to("command"), `write a program and its arguments, as in [mail, -s, exactduck, me@example.com]`, "has an empty part")
	}
	k.alertScope(at, a)
}

// alertScope checks what an entry is told of, and how often.
func (k *checker) alertScope(at path, a *Alert) {
	if a.Ping != "" && (len(a.On) > 0 || a.Repeat.given()) {
		k.report(at, "leave on: and repeat: out", "a ping is for successes alone")
	}
	for i, kind := range a.On {
		if !slices.Contains(AlertKinds, kind) {
			k.report(at.to("on", i), cmp.Or(didYouMean(kind, AlertKinds), "kinds are: "+strings.Join(AlertKinds, " ")), "there is no kind %q", kind)
		}
	}
	names := k.config.PipelineNames()
	for i, name := range a.Pipelines {
		if !slices.Contains(names, name) {
			k.report(at.to("pipelines", i), cmp.Or(didYouMean(name, names), "pipelines are: "+strings.Join(names, " ")), "there is no pipeline %q", name)
		}
	}
	switch {
	case a.Repeat.problem != nil:
		k.report(at.to("repeat"), "", "%v", a.Repeat.problem)
	case a.Repeat.given() && !a.Repeat.none && a.Repeat.Duration < time.Minute:
		k.report(at.to("repeat"), "write a longer one such as 24h, or none", "is too often")
	}
}

func (k *checker) alertAddress(at path, s Secret) {
	if s == "" {
		return
	}
	if err := s.problem(); err != nil {
		k.report(at, "write ${ALERT_URL} and set that variable, or file:PATH", "%v", err)
	} else if s.literal() {
		if problem := addressProblem(string(s)); problem != "" {
			k.report(at, "write ${ALERT_URL} and set that variable to the address, or file:PATH", "%s", problem)
		}
	}
}

// bare reports an address that is written into the file though it leads away from this machine.
func (s Secret) bare() bool {
	if s == "" || !s.literal() {
		return false
	}
	u, err := url.Parse(string(s))
	return err == nil && !Loopback(u.Hostname())
}
