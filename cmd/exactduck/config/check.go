package config

import (
	"cmp"
	"fmt"
	"maps"
	"net"
	"net/url"
	"regexp"
	"slices"
	"strings"
)

// check looks for everything that can be known to be wrong without asking the source. Problems
// come in the order of the file.
func check(c *Config, kinds Catalogues) []Problem {
	k := &checker{config: c, kinds: kinds}
	k.top()
	k.serve(path{"serve"}, c.Serve)
	k.alerts(c.Alerts)
	for name, conn := range c.Connections {
		k.connection(name, conn)
	}
	for name, p := range c.Pipelines {
		k.pipeline(name, p)
	}
	if len(k.problems) == 0 { // what follows needs pipelines that are right in themselves
		k.warehouses()
	}
	slices.SortStableFunc(k.problems, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column), strings.Compare(a.Message, b.Message))
	})
	return k.problems
}

type checker struct {
	config    *Config
	kinds     Catalogues
	catalogue Catalogue // of the pipeline that is looked at
	problems  []Problem
}

// path leads to a value: keys, and places in lists.
type path []any

func (p path) to(steps ...any) path { return append(slices.Clip(p), steps...) }

func (p path) String() string {
	var b strings.Builder
	for i, step := range p {
		switch s := step.(type) {
		case int:
			fmt.Fprintf(&b, "[%d]", s+1)
		default:
			if i > 0 {
				b.WriteByte('.')
			}
			fmt.Fprint(&b, s)
		}
	}
	return b.String()
}

func (k *checker) report(at path, hint, format string, args ...any) {
	message := fmt.Sprintf(format, args...)
	if len(at) > 0 {
		message = at.String() + ": " + message
	}
	where := k.config.source.value(at...)
	k.problems = append(k.problems, Problem{
		Line: where.line, Column: where.column, Message: message, Hint: hint,
		Excerpt: k.config.source.excerpt(where),
	})
}

func (k *checker) top() {
	c := k.config
	switch c.Version {
	case 1:
	case 0:
		k.report(path{"version"}, "write version: 1 as the first line", "is missing")
	default:
		k.report(path{"version"}, "write version: 1, or use a later exactduck", "this exactduck knows only version 1")
	}
	if len(c.Connections) == 0 {
		k.report(path{"connections"}, `"exactduck init" in an empty directory writes an example`, "there is none")
	}
	if len(c.Pipelines) == 0 {
		k.report(path{"pipelines"}, `"exactduck init" in an empty directory writes an example`, "there is none")
	}
}

// sources are the kinds of source that there are, for a hint.
func (k *checker) sources() string {
	return strings.Join(slices.Sorted(maps.Keys(k.kinds)), " or type: ")
}

var (
	plainName  = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$`)
	language   = regexp.MustCompile(`^[A-Za-z]{2}(-[A-Za-z]{2})?$`)
	identifier = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_]{0,31}$`)
)

func (k *checker) name(at path, name string) {
	if !plainName.MatchString(name) {
		k.report(at, "use letters, digits, - and _", "%q cannot be a name", name)
	}
}

func (k *checker) connection(name string, c *Connection) {
	at := path{"connections", name}
	k.name(at, name)
	if c == nil {
		k.report(at, "write type: below it, and what that needs", "is empty")
		return
	}
	switch {
	case c.Type == "":
		k.report(at.to("type"), "write type: "+k.sources(), "is missing")
		return
	case k.kinds[c.Type].Lookup == nil:
		k.report(at.to("type"), "write type: "+k.sources(), "there is no source %q", c.Type)
		return
	}
	k.foreign(at, c.Type, kind.connectionKeys)
	kindOf(c.Type).check(k, at, c)
	k.tokens(at, c)
	if c.SchemaPrefix != "" && !identifier.MatchString(c.SchemaPrefix) {
		k.report(at.to("schema_prefix"), "write it like second_", "%q cannot begin the name of a schema", c.SchemaPrefix)
	}
	if c.Reserve.problem != nil {
		k.report(at.to("reserve"), "write a share such as 20%, or a number of calls a day", "%v", c.Reserve.problem)
	}
}

// exactOnline checks what only a connection to Exact Online has.
func (k *checker) exactOnline(at path, c *Connection) {
	k.site(at, c)
	for key, s := range map[string]Secret{"client_id": c.ClientID, "client_secret": c.ClientSecret} {
		if err := s.problem(); err != nil {
			k.report(at.to(key), "write "+key+": ${EXACT_"+strings.ToUpper(key)+"} and set that variable", "%v", err)
		}
	}
	k.redirect(at.to("redirect_url"), c.RedirectURL)
	if c.Language != "" && !language.MatchString(c.Language) {
		k.report(at.to("language"), "write it like nl or en-GB", "%q is no language", c.Language)
	}
	if c.ServerTimezone.problem != nil {
		k.report(at.to("server_timezone"), "", "%v", c.ServerTimezone.problem)
	}
	if c.Division < 0 || c.Division > 1<<31-1 {
		k.report(at.to("division"), `"exactduck divisions" lists them`, "%d is no division code", c.Division)
	}
}

// tokens checks how the login is kept.
func (k *checker) tokens(at path, c *Connection) {
	store, key := at.to("token_store"), at.to("token_key")
	const write = "write token_key: ${EXACT_TOKEN_KEY} or file:PATH"
	switch problem := c.TokenKey.problem(); {
	case c.TokenStore != "" && c.TokenStore != PlainFile && c.TokenStore != EncryptedFile:
		k.report(store, "write token_store: file or token_store: encrypted-file", "there is no token store %q", c.TokenStore)
	case c.TokenKey == "" && c.TokenStore == EncryptedFile:
		k.report(key, write+`; "exactduck auth key" makes a key`, "is missing")
	case c.TokenKey == "":
	case problem != nil:
		k.report(key, write, "%v", problem)
	case c.TokenKey.literal():
		k.report(key, write, "must not be written into this file: it would lie beside what it locks")
	case c.TokenStore == "":
		k.report(key, "write token_store: encrypted-file, or token_store: file to decrypt what is encrypted", "is of no use without token_store")
	}
}

// site checks where the connection leads; complete has put the region's address into BaseURL.
func (k *checker) site(at path, c *Connection) {
	list := strings.Join(Regions(), " ")
	fromRegion, known := RegionURL(c.Region)
	switch {
	case c.Region != "" && !known:
		k.report(at.to("region"), "write one of "+list, "there is no region %q; there are %s", c.Region, list)
	case c.BaseURL == "":
		k.report(at.to("region"), "write region: and one of "+list, "is missing")
	case c.Region != "" && c.BaseURL != fromRegion:
		k.report(at.to("base_url"), "remove one of the two", "base_url and region are both given")
	case c.Region == "":
		if problem := addressProblem(c.BaseURL); problem != "" {
			k.report(at.to("base_url"), "write it like https://start.exactonline.nl", "%s", problem)
		} else if u, _ := url.Parse(c.BaseURL); u.Path != "" || u.RawQuery != "" || u.Fragment != "" {
			k.report(at.to("base_url"), "write it like https://start.exactonline.nl", "must end with the host")
		}
	}
}

func (k *checker) redirect(at path, address string) {
	if problem := addressProblem(address); problem != "" {
		k.report(at, "write what you registered with Exact, such as "+DefaultRedirect, "%s", problem)
	}
}

// addressProblem never quotes the address: people paste addresses with codes in them.
func addressProblem(address string) string {
	u, err := url.Parse(address)
	switch {
	case err != nil || u.Host == "" || u.User != nil:
		return "is no address"
	case u.Scheme == "https" || u.Scheme == "http" && Loopback(u.Hostname()):
		return ""
	}
	return "must begin with https:// (http:// only for this machine)"
}

// Loopback reports whether a host name or address means this machine.
func Loopback(host string) bool {
	ip := net.ParseIP(host)
	return strings.EqualFold(host, "localhost") || ip != nil && ip.IsLoopback()
}

func (k *checker) pipeline(name string, p *Pipeline) {
	at := path{"pipelines", name}
	k.name(at, name)
	if p == nil {
		k.report(at, "write from:, streams: and to: below it", "is empty")
		return
	}
	names := k.config.ConnectionNames()
	switch {
	case p.From == "" && len(names) > 1:
		k.report(at.to("from"), "write from: and one of "+strings.Join(names, " "), "is missing")
	case p.From != "" && !slices.Contains(names, p.From):
		k.report(at.to("from"), cmp.Or(didYouMean(p.From, names), "connections are: "+strings.Join(names, " ")),
			"there is no connection %q", p.From)
	}
	if k.catalogue = k.kinds[p.kind]; k.catalogue.Lookup == nil {
		return // the check of the connection says why
	}
	k.foreign(at, p.kind, kind.placesKeys)
	k.divisions(at.to(p.placesKey()), p)
	if c := p.AtOnce; c < 1 || c > mostAtOnce {
		k.report(at.to("divisions_at_once"), "write a number from 1 to 64; each division is read under a limit of its own", "%d cannot be meant", c)
	}
	k.defaults(at.to("defaults"), p)
	k.streams(at.to("streams"), p)
	k.contract(at.to("contract"), p.Contract)
	k.pipelineNumbers(at.to("numbers"), p)
	k.checkMasks(at, p)
	k.target(at.to("to"), p)
	if p.Deletes != "hard" && p.Deletes != "soft" {
		k.report(at.to("deletes"), "write deletes: hard or deletes: soft", "%q is not known", p.Deletes)
	}
	k.span(at.to("sweep_every"), p.SweepEvery, false)
	if p.Timezone.problem != nil {
		k.report(at.to("timezone"), "", "%v", p.Timezone.problem)
	}
	k.schedule(at, p)
}

func (k *checker) divisions(at path, p *Pipeline) {
	d := p.Divisions
	for i, entry := range d {
		pattern, leave := but(entry)
		if err := kindOf(p.kind).placeProblem(pattern); err != nil {
			k.report(at.to(i), `write all, a code or a name; "exactduck divisions" lists them`, "%v", err)
		}
		if slices.Contains(d[:i], entry) {
			k.report(at.to(i), "remove one of the two", "%q is listed twice", entry)
		}
		if leave && (strings.EqualFold(pattern, "all") || slices.Contains(d, pattern)) {
			k.report(at.to(i), "remove one of the two", "%s is to be read and to be left out", pattern)
		}
	}
	named := slices.DeleteFunc(slices.Clone(d), func(entry string) bool { _, leave := but(entry); return leave })
	if len(named) > 1 && slices.Contains(named, "all") {
		k.report(at, `write all and nothing else beside what is left out ("!123456"), or leave it away`, "all and others are both given")
	}
}

func (k *checker) schedule(at path, p *Pipeline) {
	switch {
	case p.Jitter.problem != nil:
		k.report(at.to("jitter"), "", "%v", p.Jitter.problem)
	case p.Jitter.Duration > longestJitter:
		k.report(at.to("jitter"), "write 12h or less", "%v is too long", p.Jitter.Duration)
	}
	if p.Schedule == "" || p.Timezone.problem != nil || k.catalogue.Schedule == nil {
		return
	}
	warnings, reason, hint := k.catalogue.Schedule(p.Schedule, p.Timezone.Location)
	if reason != "" {
		k.report(at.to("schedule"), hint, "%q is no schedule: %s", p.Schedule, reason)
	}
	for _, w := range warnings {
		where := at.to("schedule")
		k.config.odd = append(k.config.odd, remark{where, where.String() + " " + w})
	}
}

// Warnings are what a person should know and no reason to refuse.
func (c *Config) Warnings() []string {
	var warnings []string
	warn := func(format string, args []any, at ...any) {
		where := c.source.value(at...)
		warnings = append(warnings, fmt.Sprintf("%s:%d:%d: ", c.source.name, where.line, where.column)+fmt.Sprintf(format, args...))
	}
	for _, name := range c.ConnectionNames() {
		conn := c.Connections[name]
		for key, s := range map[string]Secret{"client_secret": conn.ClientSecret, "token": conn.Token} {
			if s != "" && s.literal() {
				warn("connections.%s.%s is written into the file; ${VARIABLE} or file:PATH keeps it out",
					[]any{name, key}, "connections", name, key)
			}
		}
	}
	for i, a := range c.Alerts {
		if a.Webhook.bare() || a.Ping.bare() {
			warn("alerts[%d]: an address that is a secret is written into the file; ${VARIABLE} or file:PATH keeps it out", []any{i + 1}, "alerts", i)
		}
	}
	for _, r := range c.odd {
		warn("%s", []any{r.text}, r.at...)
	}
	return warnings
}
