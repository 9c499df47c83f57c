package main

import (
	"fmt"
	"strings"

	"exactduck/extract/mask"
	"exactduck/load"
	"exactduck/load/spool"
)

// unveiled says of which properties a mask was taken away without a read of everything: those that have no
// column come back in _extra, row by row as they change. found are the properties that a variant was seen
// to have and the catalogue lacks.
func (p *planner) unveiled(tasks []*task, found map[string]load.Discovery) (texts []string) {
	said := map[string]bool{}
	for _, t := range tasks {
		stream := t.choice.Stream.Name
		if t.mode != spool.Merge || said[stream] {
			continue
		}
		if names := p.returning(t, found[t.variant.Name].Properties); len(names) > 0 {
			said[stream] = true
			texts = append(texts, fmt.Sprintf("%s: the mask of %s has changed, which has no column: its values come to _extra as rows change, and of all rows at once by \"exactduck sync --full --streams %[1]s\"",
				stream, strings.Join(names, ", ")))
		}
	}
	return texts
}

// returning are the properties without a column of which stored rows have less than is asked for now.
func (p *planner) returning(t *task, found []string) (names []string) {
	cursor, known := p.cursors[placeOf(t)]
	if !known {
		return nil
	}
	was, is := inquiryOf(cursor.Fingerprint), inquire(t.variant, t.choice)
	table := is.table(t.variant, t.choice.Stream)
	for _, name := range found {
		had, rule := was.Mask.Of(name), is.Mask.Of(name)
		if had != "" && rule != had && rule != mask.Drop && table.Index(name) < 0 {
			names = append(names, name)
		}
	}
	return names
}
