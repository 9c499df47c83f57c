package config_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"exactduck/cmd/exactduck/config"
)

// alerting is the minimal configuration with alerts, as they are written in the list.
func alerting(entries string) string { return "alerts:\n" + entries + minimal }

func TestAlertsAreRead(t *testing.T) {
	c := parse(t, alerting(`  - {webhook: "${SLACK_URL}", as: slack, on: [failure, stale], repeat: 36h}
  - {name: mail, command: [mail, -s, exactduck, me@example.com], pipelines: [nightly], repeat: none}
  - ping: file:ping
  - webhook: http://127.0.0.1:9/x
  - webhook: https://hooks.example.com/T0/hush
`))
	a := c.Alerts
	if len(a) != 5 || a[0].Every() != 36*time.Hour || a[1].Every() != 0 || a[3].Every() != config.DefaultRepeat || strings.Join(a[0].On, " ") != "failure stale" {
		t.Errorf("read %+v", a)
	}
	labels := map[string]bool{}
	for i, prefix := range []string{"slack-", "mail", "ping-", "webhook-", "webhook-"} {
		label := a[i].Label()
		if !strings.HasPrefix(label, prefix) || labels[label] || strings.Contains(label, "hush") {
			t.Errorf("entry %d is called %s", i+1, label)
		}
		labels[label] = true
	}
	warnings := strings.Join(c.Warnings(), "\n")
	if strings.Count(warnings, "\n") != 0 || !strings.Contains(warnings, "alerts[5]") || strings.Contains(warnings, "hush") {
		t.Errorf("warnings are %q", warnings)
	}
}

func TestAddressesOfAlerts(t *testing.T) {
	for value, want := range map[string]string{
		"https://hooks.example.com/hush": "",
		"http://[::1]:9/hush":            "",
		"http://example.com/hush":        "must begin with https://",
		"hush":                           "is no address",
		"https://me:hush@example.com/":   "is no address",
		"":                               "is not set",
	} {
		c := parse(t, alerting("  - webhook: ${URL}\n"))
		address, err := c.AlertAddress(0, func(name string) (string, bool) { return value, name == "URL" })
		if want == "" {
			if err != nil || address != value {
				t.Errorf("%s: got %s, %v", value, address, err)
			}
			continue
		}
		failure, ok := errors.AsType[*config.SecretError](err)
		if !ok || failure.Variable != "URL" || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "hush") {
			t.Errorf("%s: got %v", value, err)
		}
	}
}

func TestProblemsOfAlerts(t *testing.T) {
	for entry, want := range map[string][2]string{
		"{}":                                                    {"alerts[1]: needs one of webhook, command and ping", "webhook:"},
		"{webhook: '${A}', ping: '${B}'}":                       {"alerts[1]: needs one of", "ping:"},
		"{webhook: 'https://x${A}'}":                            {"alerts[1].webhook: refers to a variable", "file:PATH"},
		"{webhook: 'http://example.com/hush'}":                  {"alerts[1].webhook: must begin with https://", "${ALERT_URL}"},
		"{webhook: '${A}', as: discord}":                        {`alerts[1].as: "discord" is not known`, "slack"},
		"{command: [mail], as: slack}":                          {"alerts[1].as: is of no use", "leave it out"},
		"{command: [mail, '']}":                                 {"alerts[1].command: has an empty part", "mail"},
		"{command: [mail], on: [failures]}":                     {`alerts[1].on[1]: there is no kind "failures"`, "did you mean failure?"},
		"{command: [mail], pipelines: [nihgtly]}":               {`there is no pipeline "nihgtly"`, "did you mean nightly?"},
		"{command: [mail], repeat: daily}":                      {`"daily" is no duration`, ""},
		"{command: [mail], repeat: 3s}":                         {"alerts[1].repeat: is too often", "none"},
		"{ping: '${A}', on: [failure]}":                         {"a ping is for successes alone", "leave"},
		"{command: [mail], name: a b}":                          {`"a b" cannot be a name`, "letters"},
		"{webhok: '${A}'}":                                      {`unknown key "webhok"`, "webhook"},
		"{command: [mail]}\n  - {command: [mail]}":              {"alerts[2]: there is another entry called command-", "name:"},
		"{webhook: '${A}'}\n  - {webhook: '${A}', as: generic}": {"alerts[2]: there is another entry called webhook-", "name:"},
	} {
		_, err := config.Parse([]byte(alerting("  - "+entry+"\n")), "pipelines.yaml", catalogue)
		wrong, ok := errors.AsType[*config.Error](err)
		if !ok {
			t.Errorf("%s: no problem was found: %v", entry, err)
			continue
		}
		if p := wrong.Problems[0]; !strings.Contains(p.Message, want[0]) || !strings.Contains(p.Hint, want[1]) || strings.Contains(p.Message+p.Hint, "hush") {
			t.Errorf("%s: %s (%s)", entry, p.Message, p.Hint)
		}
	}
}
