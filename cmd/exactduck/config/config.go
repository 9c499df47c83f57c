// Package config reads pipelines.yaml: which books are read with which login, what of them, and
// where it goes. It decodes strictly, checks everything that can be checked without the source,
// and acts on nothing. Begin with [Load]; every key is documented once, on the field it fills.
package config

import (
	"cmp"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"exactduck/extract/mask"
)

// Config is one checked pipelines.yaml. The fields are the keys of the file.
type Config struct {
	// Version is the version of this format. Required; there is one, 1.
	Version int `yaml:"version"`
	// Connections are the logins, by a name of your choice. At least one.
	Connections map[string]*Connection `yaml:"connections"`
	// Pipelines are what to read and where to, by a name of your choice. At least one.
	Pipelines map[string]*Pipeline `yaml:"pipelines"`
	// StateDir is where working databases, spools, run records and logins live. Default: .exactduck
	// beside the file for all but the logins, which are in $XDG_STATE_HOME/exactduck. Another
	// directory starts from the published file, and without a login.
	StateDir string `yaml:"state_dir"`
	// Serve is the status page of "exactduck serve".
	Serve Serve `yaml:"serve"`
	// Alerts are who is told when something is wrong. Default: nobody.
	Alerts []Alert `yaml:"alerts"`

	path   string // of the file, absolute
	source *source
	// odd is what a person should know: types of columns that the catalogue has too, masks of properties
	// that it does not have, and schedules in a night in which clocks change.
	odd []remark
}

// Connection is one login at one vendor.
type Connection struct {
	// Type is the kind of source: exact-online or exactpay. Required. Keys that only one kind has say so.
	Type string `yaml:"type"`
	// Region says which of Exact's sites holds the books: nl be de uk fr es us. This or base_url
	// is required of exact-online, and of nobody else. Another region is another login and other books:
	// give the pipeline another file.
	Region string `yaml:"region"`
	// Environment says which Exact Payments it is: production or sandbox, the vendor's own. This or
	// base_url is required of exactpay, and of nobody else. Another one is another login and other
	// payments: give the pipeline another file.
	Environment string `yaml:"environment"`
	// BaseURL is the address of the source in full, instead of a region or an environment. https; http
	// only for this machine, which is where the sandbox is.
	BaseURL string `yaml:"base_url"`
	// ClientID names the app that you registered with Exact. Required of exact-online; ${VARIABLE},
	// file:PATH or the id itself. A login belongs to one client id.
	ClientID Secret `yaml:"client_id"`
	// ClientSecret is the secret of that app. Required of exact-online; ${VARIABLE} or file:PATH. The secret itself
	// is taken too, with a warning.
	ClientSecret Secret `yaml:"client_secret"`
	// RedirectURL is the redirect URL of that app, to the letter. For exact-online. Default
	// https://localhost:8585/callback.
	RedirectURL string `yaml:"redirect_url"`
	// Application is the name of your application at Exact Payments, for which "exactduck auth login"
	// makes a token. This or token is required of exactpay. With a token it is named in requests.
	Application string `yaml:"application"`
	// Token is an application token of Exact Payments, in the place of a login: ${VARIABLE} or
	// file:PATH. The token itself is taken too, with a warning. It need not be allowed more than to read.
	Token Secret `yaml:"token"`
	// Organization is the organization at Exact Payments whose accounts are read: 24 hexadecimal digits.
	// For exactpay. Default: none, and what is read are the accounts that the pipelines list, or what
	// belongs to the token itself.
	Organization string `yaml:"organization"`
	// TokenStore is how the login is kept: file (default), which only its owner may read, or
	// encrypted-file, which takes token_key to read as well. The login that is there is converted
	// when it is next used; the way back to file takes token_key once more. Every configuration
	// that shares the login must say the same.
	TokenStore string `yaml:"token_store"`
	// TokenKey is the key of an encrypted login: an age identity, AGE-SECRET-KEY-1…, as "exactduck
	// auth key" makes. ${VARIABLE} or file:PATH, and never the key itself. Required with
	// encrypted-file. Of several keys, on lines of their own in one file, the first encrypts and
	// all decrypt. Without its key a login is lost.
	TokenKey Secret `yaml:"token_key"`
	// Language is the language of the columns that hold descriptions (nl, en-GB). Default: that of
	// the user who logged in. What is loaded keeps its language until it changes at the source. For
	// exact-online.
	Language string `yaml:"language"`
	// ServerTimezone is the zone of the source's clock, in which it writes its times and reads
	// --since. Default Europe/Amsterdam, which recordings prove for the Dutch, Belgian and French
	// sites; nobody has published what the British and American ones do, so it can be set. For
	// exact-online.
	ServerTimezone Zone `yaml:"server_timezone"`
	// Division is the code that goes into the address of questions that are about no division in
	// particular. Default: the one that was opened last in the browser, which costs a call. For
	// exact-online.
	Division int `yaml:"division"`
	// SchemaPrefix is put before the name of every schema of this connection (uk_crm.Accounts).
	// Required where two connections of one type feed one warehouse. Another prefix is a first load.
	SchemaPrefix string `yaml:"schema_prefix"`
	// Reserve is what is left to other software of the calls that a division has a day: a share
	// (20%), or a number. Default: nothing. It changes nothing that is loaded.
	Reserve Reserve `yaml:"reserve"`
}

// Pipeline is what one sync reads and where to.
type Pipeline struct {
	// From is the name of a connection. Default: the only one.
	From string `yaml:"from"`
	// Divisions are the books to read: all, codes, or names with * and ?. What begins with ! is left
	// out. Default all. What was loaded of a division that is no longer listed stays.
	Divisions Divisions `yaml:"divisions"`
	// Accounts are what divisions are, for a connection to Exact Payments: all, ids of 24 hexadecimal
	// digits, or names with * and ?. After a configuration is read, Divisions are these.
	Accounts Divisions `yaml:"accounts"`
	// AtOnce is how many divisions, or accounts, are read at the same time, 1 to 64. Default 8. Each has a quota
	// of its own.
	AtOnce int `yaml:"divisions_at_once"`
	// Streams are the entities to read: names (crm/Accounts), names with * and ?, or a block of
	// keys, see [Stream]. Required. An entry without wildcards wins over one with. What was loaded
	// of a stream that is no longer listed stays.
	Streams []Stream `yaml:"streams"`
	// Defaults hold for every entry of streams that does not say otherwise.
	Defaults Defaults `yaml:"defaults"`
	// To is where it goes.
	To Target `yaml:"to"`
	// Deletes says what becomes of a row that is gone at the source: hard (default) removes it,
	// soft keeps it and fills _deleted_at.
	Deletes string `yaml:"deletes"`
	// Contract says what becomes of a change of shape at the source, in the catalogue of a release or
	// in numbers and types: evolve (default) follows it and reports it, freeze ends the stream with exit
	// code 8, and nothing of it is applied until "exactduck schema accept". It changes nothing that is
	// loaded.
	Contract Contract `yaml:"contract"`
	// Numbers says how columns that Exact sends as doubles are kept, by stream and column: decimal
	// (DECIMAL(18,4)) or double. Default: amounts of money are decimal, the rest double. Another way
	// converts what is stored, and is a full reload.
	Numbers map[string]string `yaml:"numbers"`
	// Mask keeps the values of properties from every disk, in all streams of the pipeline, those that it
	// does not list any more among them, and whether they have a column or are somewhere in _extra: hash puts a keyed hash in their place, drop leaves them out. Not for
	// keys and cursors. Default: none. A new rule empties what is stored, in the working database, the
	// published file and the lake, and removes older snapshots and files; for a hash, and when a rule is
	// removed, what it concerns is a full reload.
	Mask mask.Rules `yaml:"mask"`
	// MaskKey is the key of the hashes, at least 16 characters: ${VARIABLE} or file:PATH, and never the
	// key itself. Required with a hash. Another key hashes anew: as with a new rule.
	MaskKey Secret `yaml:"mask_key"`
	// SweepEvery is how often streams without a deletion feed are compared key by key with the
	// source. Default 7d. Sweeps cost calls.
	SweepEvery Duration `yaml:"sweep_every"`
	// Schedule is when "exactduck serve" runs this pipeline: five fields as in cron, or @hourly @daily
	// @weekly @monthly @yearly. What comes once a day comes once on the nights too in which the clocks
	// change, a start that was missed is made up for once, and two runs of one warehouse never overlap.
	// Default: never, and cron may run "exactduck sync" instead. It changes nothing that is loaded.
	Schedule string `yaml:"schedule"`
	// Jitter puts the start off by less than this, and by as much on one day as the pipeline's name and
	// the date say, so that not everybody asks Exact at a quarter past four. Up to 12h. Default: none.
	Jitter Duration `yaml:"jitter"`
	// Timezone is the zone of the schedule. Default Europe/Amsterdam.
	Timezone Zone `yaml:"timezone"`

	name string
	kind string // of the connection
	conn *Connection
}

// Target is where a pipeline writes. Relative paths are relative to the file.
type Target struct {
	// DuckDB is the file that is published after a run. Required.
	DuckDB string `yaml:"duckdb"`
	// Parquet is a directory that holds the same tables as Parquet files. Default: none.
	Parquet string `yaml:"parquet"`
	// Partition divides these files further: year gives tables with a date (Date, EntryDate,
	// InvoiceDate, OrderDate, TransactionDate, DocumentDate or QuotationDate) a file for each year of
	// each division, so that a change rewrites that of its year only. Default: one file a division.
	// Another value writes all files anew with the next run.
	Partition string `yaml:"partition"`
	// Keep is how many older nights stay, 0 to 400: as files beside the published one, named after the
	// moment in UTC at which they were published (warehouse_20261120_041500.duckdb), and as snapshots
	// under parquet, where one older stays in any case. Default 0. Fewer: the oldest are removed.
	Keep int `yaml:"keep"`
}

// The values of token_store.
const (
	PlainFile     = "file"
	EncryptedFile = "encrypted-file"
)

// The defaults that the fields of [Connection] and [Pipeline] speak of.
const (
	DefaultRedirect = "https://localhost:8585/callback"
	DefaultZone     = "Europe/Amsterdam"
	DefaultSweep    = 7 * 24 * time.Hour
	DefaultAtOnce   = 8
)

// longestJitter leaves a daily run within its half of the day.
const longestJitter = 12 * time.Hour

// mostKept is more nights than anybody keeps on purpose: each is a file of the size of the warehouse.
const mostKept = 400

// Kind is the type of the connection that a pipeline reads from.
func (p *Pipeline) Kind() string { return p.kind }

// Path is the file that was read, absolute.
func (c *Config) Path() string { return c.path }

// Text is the file as it was read.
func (c *Config) Text() string { return strings.Join(c.source.lines, "\n") }

// State is the directory of everything but the logins, absolute.
func (c *Config) State() string {
	return c.absolute(cmp.Or(c.StateDir, ".exactduck"))
}

// Logins is the directory of the logins when the file names one, else "".
func (c *Config) Logins() string {
	if c.StateDir == "" {
		return ""
	}
	return filepath.Join(c.State(), "logins")
}

// PipelineNames are the names of the pipelines in the order of the file.
func (c *Config) PipelineNames() []string { return inOrder(c, "pipelines", c.Pipelines) }

// ConnectionNames are the names of the connections in the order of the file.
func (c *Config) ConnectionNames() []string { return inOrder(c, "connections", c.Connections) }

func inOrder[V any](c *Config, section string, entries map[string]V) []string {
	names := make([]string, 0, len(entries))
	for name := range entries {
		names = append(names, name)
	}
	slices.SortFunc(names, func(a, b string) int {
		at, bt := c.source.key(section, a), c.source.key(section, b)
		return cmp.Or(cmp.Compare(at.line, bt.line), cmp.Compare(at.column, bt.column), strings.Compare(a, b))
	})
	return names
}

// Name is the name under which the file has the pipeline.
func (p *Pipeline) Name() string { return p.name }

// Soft reports whether rows that are gone at the source stay, marked.
func (p *Pipeline) Soft() bool { return p.Deletes == "soft" }

func (c *Config) absolute(path string) string {
	if path == "" || filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(filepath.Dir(c.path), path)
}

// complete fills in what the file leaves to its defaults.
func (c *Config) complete() {
	c.Serve.Listen = cmp.Or(c.Serve.Listen, DefaultListen)
	c.Serve.User = cmp.Or(c.Serve.User, DefaultUser)
	for _, conn := range c.Connections {
		if conn == nil {
			continue // the check says so
		}
		if conn.BaseURL == "" {
			conn.BaseURL = kindOf(conn.Type).address(conn)
		}
		conn.BaseURL = strings.TrimRight(conn.BaseURL, "/")
		conn.RedirectURL = cmp.Or(conn.RedirectURL, DefaultRedirect)
		conn.ServerTimezone.orDefault()
	}
	for name, p := range c.Pipelines {
		if p == nil {
			continue
		}
		p.name = name
		if names := c.ConnectionNames(); p.From == "" && len(names) == 1 {
			p.From = names[0]
		}
		if conn := c.Connections[p.From]; conn != nil {
			p.kind, p.conn = conn.Type, conn
		}
		p.complete()
		if !c.source.has("pipelines", name, "divisions_at_once") {
			p.AtOnce = DefaultAtOnce
		}
		p.Deletes = cmp.Or(p.Deletes, "hard")
		p.SweepEvery.Duration = cmp.Or(p.SweepEvery.Duration, DefaultSweep)
		p.Timezone.orDefault()
		p.To.DuckDB, p.To.Parquet = c.absolute(p.To.DuckDB), c.absolute(p.To.Parquet)
	}
}
