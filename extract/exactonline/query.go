package exactonline

import (
	"cmp"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"exactduck/extract"
)

// longAgo is before everything in the books.
const (
	longAgo     = "datetime'" + longAgoWall + "'"
	longAgoWall = "1900-01-01T00:00:00"
)

// query is the query of a first request.
func (p *pass) query() (string, error) {
	ill := p.source.ailment(p.read.Variant)
	if p.where != nil && !p.here && ill.unfiltered {
		p.filterHere()
	}
	if err := cmp.Or(p.lacks(ill), p.limitHere(ill)); err != nil {
		return "", err
	}
	p.filter = p.condition(ill)
	return queryOf(p.read.Variant, p.selected(ill), filtering(p.filter)), nil
}

// lacks says which column, known to be refused, the read cannot do without to choose its records.
func (p *pass) lacks(ill ailment) error {
	if p.since != "" && ill.dropped[p.read.Variant.Dated] {
		return &Undated{p.read.Stream, p.read.Variant.Name}
	}
	if !p.here {
		return nil
	}
	for _, used := range p.where.uses {
		if ill.dropped[used.name] {
			return &BadFilter{p.where.text, 0, "the service does not give " + used.name + " any more"}
		}
	}
	return nil
}

// shape is what the endpoint may refuse of the query: all of it but the place where it begins.
func (p *pass) shape() string {
	shape := p.read.Variant.Name + "?" + p.read.Variant.Query + strings.Join(p.columns(), ",")
	if p.where != nil && !p.here {
		shape += "&" + p.where.text
	}
	if p.read.Variant.Cursor == extract.Modified && p.modifiedSince() != "" {
		shape += "&" + p.read.Variant.Dated
	}
	return shape
}

// queryOf joins what every request for a variant carries with parts that may be empty.
func queryOf(v *extract.Variant, parts ...string) string {
	parts = append([]string{v.Query}, parts...)
	return strings.Join(slices.DeleteFunc(parts, func(part string) bool { return part == "" }), "&")
}

// selected is the $select. A function that returns a value and no records takes none.
func (p *pass) selected(ill ailment) string {
	if p.endpoint.Keyless {
		return ""
	}
	return selecting(slices.DeleteFunc(p.columns(), func(c string) bool { return ill.dropped[c] }))
}

func selecting(names []string) string {
	escaped := make([]string, len(names))
	for i, name := range names {
		escaped[i] = url.QueryEscape(name)
	}
	return "$select=" + strings.Join(escaped, ",")
}

func filtering(condition string) string {
	if condition == "" {
		return ""
	}
	return "$filter=" + escape(condition)
}

// escape writes a value of a query so that people can still read it.
func escape(text string) string {
	return legible.Replace(url.QueryEscape(text))
}

var legible = strings.NewReplacer("+", "%20", "%27", "'", "%28", "(", "%29", ")", "%2C", ",", "%3A", ":")

// columns are the properties that the read needs.
func (p *pass) columns() []string {
	var names []string
	for _, c := range p.decoder.wide.Columns {
		names = append(names, c.Name)
	}
	for _, name := range p.read.Also {
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}

// condition is the filter of a first request.
func (p *pass) condition(ill ailment) string {
	var parts []string
	if bounds := p.bounds(ill); bounds != "" {
		parts = append(parts, bounds)
	}
	if p.where != nil && !p.here {
		parts = append(parts, p.where.text)
	}
	if len(parts) < 2 {
		return strings.Join(parts, "")
	}
	return "(" + strings.Join(parts, ") and (") + ")"
}

// bounds is what limits the read to what is new, or, where a filter must be, what limits nothing.
func (p *pass) bounds(ill ailment) string {
	switch p.read.Variant.Cursor {
	case extract.Versioned:
		if p.floor > p.from.From {
			return fmt.Sprintf("Timestamp ge %dL", p.floor)
		}
		return fmt.Sprintf("Timestamp gt %dL", p.from.From)
	case extract.Modified:
		if from := p.modifiedSince(); from != "" && !ill.undated {
			return p.read.Variant.Dated + " ge datetime'" + from + "'"
		}
	}
	if ill.filtered {
		return everything(p.endpoint, p.read.Variant, ill)
	}
	return ""
}

// modifiedSince is the wall time from which a variant with a cursor of such times is read.
func (p *pass) modifiedSince() string { return max(p.from.Wall, p.since) }

// limitHere leaves out here what is too old when the service refuses to be asked for it.
func (p *pass) limitHere(ill ailment) error {
	if !ill.undated || p.read.Variant.Cursor != extract.Modified {
		return nil
	}
	p.since = p.modifiedSince()
	return p.limit()
}

// everything is a filter that every record passes, for endpoints that refuse to be read without
// one; "": none is known. All records say when they were made and, nearly all, when they were
// changed.
func everything(e *Endpoint, v *extract.Variant, ill ailment) string {
	for _, dated := range []string{v.Dated, "Created"} {
		if e.filters(dated, kindMoment) && (!ill.undated || dated != v.Dated) {
			return dated + " ge " + longAgo
		}
	}
	if len(e.Key) == 1 && e.filters(e.Key[0], kindGUID) {
		return e.Key[0] + " ne guid'00000000-0000-0000-0000-000000000000'"
	}
	return ""
}
