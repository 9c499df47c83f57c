package sandbox_test

import (
	"fmt"
	"slices"
	"testing"

	"exactduck/extract/exactonline"
	"exactduck/extract/sandbox"
)

// buried are the keys that sync/Deleted reports under an entity type.
func (v *visitor) buried(entity int32) []any {
	var keys []any
	for _, r := range v.all(deleted) {
		if fmt.Sprint(r["EntityType"]) == fmt.Sprint(entity) {
			keys = append(keys, r["EntityKey"])
		}
	}
	return keys
}

// Lines name a header that there is, go when it goes, and are reported unless that is switched off.
func TestLinesGoWithTheirHeader(t *testing.T) {
	pairs := 0
	for _, stream := range exactonline.Streams() {
		if stream.Header == "" {
			continue
		}
		pairs++
		t.Run(stream.Name, func(t *testing.T) {
			v := visit(t, sandbox.Options{Divisions: 1, Scale: 0.05, Records: map[string]int{stream.Name: 60, stream.Header: 12}})
			v.change(sandbox.Change{Entity: stream.Header, Delete: 2})
			v.change(sandbox.Change{Entity: stream.Name, Insert: 20})
			told := v.checkLines(t, stream.Name, 80)
			must(t, v.sandbox.Switch(func(o *sandbox.Options) { o.Unreported = []string{stream.Name} }))
			before := len(v.sandbox.Records(0, sightOf(t, stream.Name).Path))
			v.change(sandbox.Change{Entity: stream.Header, Delete: 6})
			after := len(v.sandbox.Records(0, sightOf(t, stream.Name).Path))
			if after >= before || told == 0 || len(v.buried(sightOf(t, stream.Name).Entity)) != told {
				t.Errorf("%d lines became %d; %d were told of, then %d", before, after, told, len(v.buried(sightOf(t, stream.Name).Entity)))
			}
		})
	}
	if pairs < 5 {
		t.Errorf("only %d streams of lines", pairs)
	}
}

// sightOf is the first endpoint of a stream, which tells of deletions if any does.
func sightOf(t *testing.T, stream string) *exactonline.Endpoint {
	t.Helper()
	s, _, err := exactonline.Lookup(stream)
	if err != nil {
		t.Fatal(err)
	}
	return exactonline.EndpointOf(s.Variants[0])
}

// checkLines checks that lines have headers, and that those which are gone of so many were told of.
func (v *visitor) checkLines(t *testing.T, name string, made int) (told int) {
	t.Helper()
	s, _, err := exactonline.Lookup(name)
	if err != nil {
		t.Fatal(err)
	}
	headers := map[any]bool{}
	header := sightOf(t, s.Header)
	for _, r := range v.sandbox.Records(0, header.Path) {
		headers[r[header.Identity[0]]] = true
	}
	list := v.sandbox.Records(0, sightOf(t, name).Path)
	for _, r := range list {
		if !headers[r[s.HeaderKey]] {
			t.Errorf("a line belongs to %v, which there is not", r[s.HeaderKey])
		}
	}
	buried := v.buried(sightOf(t, name).Entity)
	if len(list)+len(buried) != made {
		t.Errorf("%d lines are left and %d were told of, of %d", len(list), len(buried), made)
	}
	for _, r := range list {
		if slices.Contains(buried, r[sightOf(t, name).Identity[0]]) {
			t.Error("a line is there that was reported as gone")
		}
	}
	return len(buried)
}

// In a feed of headers and lines, only the header is reported where lines are not.
func TestUnreportedLinesOfAnEntry(t *testing.T) {
	v := visit(t, sandbox.Options{Unreported: []string{"*"}})
	before := len(v.sandbox.Records(0, "sync/SalesInvoice/SalesInvoices"))
	v.change(sandbox.Change{Entity: "salesinvoice/SalesInvoices", Delete: 3})
	gone := before - len(v.sandbox.Records(0, "sync/SalesInvoice/SalesInvoices"))
	if told := len(v.buried(13)); told != 3 || gone < 6 {
		t.Errorf("%d rows went and %d were told of", gone, told)
	}
}
