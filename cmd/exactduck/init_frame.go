package main

import (
	"embed"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"exactduck/cmd/exactduck/config"
)

// presetFiles are lists of streams by what people want them for, and the frames around them.
//
//go:embed presets
var presetFiles embed.FS

// presets are the names of the lists, in the order in which they are offered.
var presets = slices.Concat(frames[0].presets, frames[1].presets)

// start is what init has to know to write a configuration.
type start struct {
	Region, ClientID, RedirectURL          string // of Exact Online
	Environment, Application, Organization string // of Exact Payments
	Preset, DuckDB                         string
	Streams                                string
}

var startDefaults = start{
	Region: "nl", ClientID: "${EXACT_CLIENT_ID}", RedirectURL: config.DefaultRedirect,
	Environment: "production", Application: none, Organization: none,
	Preset: "finance", DuckDB: "warehouse.duckdb",
}

// none is the answer that there is no such thing.
const none = "none"

// frame is the configuration around lists of streams, for one kind of source.
type frame struct {
	file     string // below presets
	presets  []string
	must     string // the flag that says at which of the vendor's hosts
	example  string // of a command line
	settings func(*start) []setting
	next     func(s *start, other string) []string // what to type before the first run; other names the file where it has to be
}

// frames are those that there are.
var frames = []*frame{
	{"books.tmpl", []string{"finance", "sales", "projects", "hr"}, "region", "exactduck init --region nl --preset finance", booksSettings, booksNext},
	{"payments.tmpl", []string{"payments"}, "environment", "exactduck init --environment production --preset payments", paymentsSettings, paymentsNext},
}

// frame is the one that the preset goes into.
func (s *start) frame() *frame {
	for _, f := range frames {
		if slices.Contains(f.presets, s.Preset) {
			return f
		}
	}
	return frames[0]
}

// what is what decides about everything else.
func (s *start) what() []setting {
	return []setting{{"preset", "What is to be read?", "use " + oneOfThese(presets), startDefaults.Preset, &s.Preset, oneOf(presets)}}
}

func oneOfThese(words []string) string { return "one of " + strings.Join(words, " ") }

func (s *start) file() setting {
	return setting{"duckdb", "Which file shall it go into?", "use a name such as warehouse.duckdb", startDefaults.DuckDB, &s.DuckDB, plain}
}

func booksSettings(s *start) []setting {
	return []setting{
		{"region", "At which of Exact's sites are the books?", "use " + oneOfThese(config.Regions()), startDefaults.Region, &s.Region, oneOf(config.Regions())},
		{"client-id", "What is the client id of your app? It may be a ${VARIABLE}.", "copy it from the app registration", startDefaults.ClientID, &s.ClientID, plain},
		{"redirect-url", "What is its redirect URL, to the letter?", "copy it from the app registration", startDefaults.RedirectURL, &s.RedirectURL, plain},
		s.file(),
	}
}

func booksNext(s *start, other string) (lines []string) {
	if name, ok := strings.CutPrefix(s.ClientID, "${"); ok {
		lines = append(lines, "export "+strings.TrimSuffix(name, "}")+"=…")
	}
	return append(lines, "export EXACT_CLIENT_SECRET=…", "exactduck auth login"+other)
}

var environments = []string{"production", "sandbox"}

func paymentsSettings(s *start) []setting {
	return []setting{
		{"environment", "In which environment of Exact Payments?", "use " + oneOfThese(environments), startDefaults.Environment, &s.Environment, oneOf(environments)},
		{
			"application", "What is your application called there? With none, a token that you have comes from ${EXACTPAY_TOKEN}.",
			"copy it from Exact Payments, or none", startDefaults.Application, &s.Application, plain,
		},
		{
			"organization", "Which organization's accounts are to be read? With none, what the token stands for.",
			"24 hexadecimal digits in lower case, or none", startDefaults.Organization, &s.Organization, identity,
		},
		s.file(),
	}
}

var organization = regexp.MustCompile(`^[0-9a-f]{24}$`)

func identity(answer string) error {
	if answer != none && !organization.MatchString(answer) {
		return fmt.Errorf("%q is not 24 hexadecimal digits in lower case", answer)
	}
	return nil
}

func paymentsNext(s *start, other string) []string {
	if s.Application == none {
		return []string{"export EXACTPAY_TOKEN=…"}
	}
	return []string{"exactduck auth login" + other}
}

// next are the commands to type after init.
func (s *start) next(path string) []string {
	other := ""
	if path != "pipelines.yaml" {
		other = " --config " + path
	}
	return append(s.frame().next(s, other), "exactduck sync"+other)
}
