package config

import "exactduck/extract/mask"

// Stream is one entry of a pipeline's streams. What it does not say comes from [Defaults].
type Stream struct {
	// Stream is the name or pattern; sync/, bulk/ or standard/ before it forces that variant.
	// Another variant is a full reload.
	Stream string `yaml:"stream"`
	// Since leaves out what was last modified before this date, in the source's own time; none:
	// nothing. Default: none. A later date removes stored rows, an earlier one is a full reload.
	// Streams that do not say when a row was modified cannot have it.
	Since Date `yaml:"since"`
	// Columns are the only ones to ask for and to store; keys and cursors come along. Default: all.
	// Fewer empty the columns that are stored, more are a full reload. As a mapping of names to types
	// it limits nothing and is what types is.
	Columns Columns `yaml:"columns"`
	// ExcludeColumns are not asked for and not stored. Keys and cursors cannot be left out. Default:
	// none. More of them empty the columns that are stored, fewer are a full reload.
	ExcludeColumns []string `yaml:"exclude_columns"`
	// Filter keeps the rows for which it is true, as an OData filter: "Type eq 20 and Blocked eq
	// false". Default: all rows. What the endpoint cannot be asked is filtered here, and the plan
	// says so. Another filter is a full reload.
	Filter string `yaml:"filter"`
	// Params are the parameters of a function, by their names in Exact's documentation. Required
	// for streams that answer only for parameters. Others are a full reload.
	Params map[string]any `yaml:"params"`
	// As names the table of a function, so that it can be read with several sets of parameters.
	// Default: the name of the stream. Another name is another table.
	As string `yaml:"as"`
	// Contract is the pipeline's contract for this stream.
	Contract Contract `yaml:"contract"`
	// Numbers is the pipeline's numbers for this stream, by column.
	Numbers map[string]string `yaml:"numbers"`
	// Mask holds more rules of the pipeline's mask, for this entry; they win over the pipeline's.
	Mask mask.Rules `yaml:"mask"`
	// Priority puts a stream before others when calls are short: -100 to 100, the higher the
	// earlier. Default 0.
	Priority *int `yaml:"priority"`
	// SweepEvery is the pipeline's sweep_every for this stream.
	SweepEvery Duration `yaml:"sweep_every"`
	// Lookback is how far before its cursor a read begins, for streams whose rows change without any mark
	// (35d of exactpay/payments unless it is set): what is older is noticed when sweep_every has it read
	// whole. For exactpay. It changes nothing that is loaded.
	Lookback Duration `yaml:"lookback"`
	// MaxAge is how old the last complete read may be before status calls the stream stale; none:
	// any age. Default: none. It changes nothing that is loaded.
	MaxAge Duration `yaml:"max_age"`
	// DeleteWithHeader removes the lines of an entry, order or invoice when the deletion of that is
	// told. Default true. With false they stay until their own deletion is told or a sweep misses
	// them.
	DeleteWithHeader *bool `yaml:"delete_with_header"`

	// Path is the address of an endpoint that the catalogue lacks, as documented: what follows the
	// division, crm/Novelties or sync/CRM/Novelties, or all of it, /api/v1/{division}/crm/Novelties.
	// stream: is then a name of your choice, and the keys below say what there is. Another path is a
	// full reload.
	Path string `yaml:"path"`
	// Key are the properties that identify a record of path. Default: none, and the rows are
	// replaced whole with every run.
	Key []string `yaml:"key"`
	// Types gives properties that the catalogue lacks a column, each with its type: Guid, String,
	// DateTime, … as in OData, or one of DuckDB, such as UUID. Required with path. What has no type is
	// kept in _extra. A property that gets one is taken out of _extra where it fits, another type
	// converts what is stored, and both are a full reload.
	Types map[string]string `yaml:"types"`
	// Modified is the property of path that says when a record was modified and can be filtered by.
	// Default: none, and everything is read with every run, but of sync endpoints.
	Modified string `yaml:"modified"`
	// PageSize is how many records of path come with one call, 1 to 1000. Default: 1000 of sync and
	// bulk endpoints, 60 of others. It only serves the plan.
	PageSize int `yaml:"page_size"`
}

// Defaults are what entries of a pipeline's streams do not say themselves. Each key means what it
// means in [Stream].
type Defaults struct {
	Since            Date       `yaml:"since"`
	ExcludeColumns   []string   `yaml:"exclude_columns"`
	Mask             mask.Rules `yaml:"mask"`
	Priority         *int       `yaml:"priority"`
	Contract         Contract   `yaml:"contract"`
	SweepEvery       Duration   `yaml:"sweep_every"`
	Lookback         Duration   `yaml:"lookback"`
	MaxAge           Duration   `yaml:"max_age"`
	DeleteWithHeader *bool      `yaml:"delete_with_header"`
}

// Definition is an endpoint that the catalogue lacks, as an entry describes it; see [Stream].
type Definition struct {
	Stream, Path string
	Key          []string
	Types        map[string]string
	Modified     string
	PageSize     int
}
