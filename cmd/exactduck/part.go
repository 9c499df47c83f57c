package main

import (
	"exactduck/extract/mask"
	"exactduck/load"
	"exactduck/load/spool"
)

// part is a whole read as the warehouse takes it.
func (r *run) part(t *task) load.Part {
	return load.Part{
		File: t.file, Accept: r.accept[t.choice.Stream.Name] || t.narrowed,
		ReloadMissed: t.knowsMisses(), Follow: r.follow(t), Compared: t.file.Header().Mode == spool.Rows,
	}
}

// unhashing are the columns of which hashes are stored that a task brings as they are.
func (r *run) unhashing(t *task) (names []string) {
	stored := r.planner.cursors[streamScope{t.choice.Stream.Name, t.place.Scope}]
	for name, rule := range inquiryOf(stored.Fingerprint).Mask {
		if rule == mask.Hash && t.choice.Mask.Of(name) != mask.Hash {
			names = append(names, name)
		}
	}
	return names
}

// knowsMisses tells whether a row that only a sweep knows was missed: where the history is limited
// it may be older than that, unless it has a date.
func (t *task) knowsMisses() bool { return t.historyFrom == "" || t.variant.Dated != "" }

// follow says with what headers the rows of a task go; zero: each goes by itself.
func (r *run) follow(t *task) load.Follow {
	s := t.choice.Stream
	if !t.choice.Follow || s.Header == "" {
		return load.Follow{}
	}
	header, _, err := r.planner.vendor.kind().Lookup(s.Header)
	if err != nil { // the catalogue names only streams that it has
		return load.Follow{}
	}
	table := header.Variants[0].Table
	return load.Follow{HeaderTable: table.FullName(), HeaderKey: s.HeaderKey, Entity: table.Entity}
}
