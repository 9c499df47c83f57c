package page

import (
	"fmt"
	"html/template"
	"strings"
	"time"
)

// The size of a chart, in its own units; the browser stretches it.
const (
	chartWidth  = 360
	chartHeight = 64
	gap         = 3
)

// bars draws the rows or the calls of each day as bars; a day on which something failed is marked.
func bars(days []Day, what string) template.HTML {
	if len(days) == 0 {
		return ""
	}
	most, total, best := int64(0), int64(0), 0
	for i, d := range days {
		n := d.count(what)
		total += n
		if n > most {
			most, best = n, i
		}
	}
	label := fmt.Sprintf("%s a day, the last %d days: %s in all", what, len(days), number(total))
	if most > 0 {
		label += fmt.Sprintf(", most on %s with %s", days[best].name(), number(most))
	}
	var b strings.Builder
	fmt.Fprintf(&b, `<svg class="chart" viewBox="0 0 %d %d" preserveAspectRatio="none" role="img" aria-label="%s">`,
		chartWidth, chartHeight, template.HTMLEscapeString(label))
	wide := float64(chartWidth) / float64(len(days))
	for i, d := range days {
		fmt.Fprintf(&b, `<g><title>%s</title>`, template.HTMLEscapeString(d.words(what)))
		x, high := float64(i)*wide, height(d.count(what), most)
		fmt.Fprintf(&b, `<rect class="day" x="%.1f" y="0" width="%.1f" height="%d"/>`, x, wide, chartHeight)
		fmt.Fprintf(&b, `<rect class="%s" x="%.1f" y="%.1f" width="%.1f" height="%.1f"/></g>`, d.class(), x, chartHeight-high, wide-gap, high)
	}
	b.WriteString("</svg>")
	return template.HTML(b.String()) //nolint:gosec // numbers, and text that is escaped
}

// peak says on which day there was most, and how much.
func peak(days []Day, what string) string {
	best := Day{}
	for _, d := range days {
		if d.count(what) > best.count(what) {
			best = d
		}
	}
	if best.Day == "" {
		return fmt.Sprintf("none in %d days", len(days))
	}
	return fmt.Sprintf("at most %s, %s", number(best.count(what)), best.name())
}

// height is that of a bar: something is never nothing.
func height(n, most int64) float64 {
	if n == 0 {
		return 1
	}
	return max(3, float64(n)/float64(most)*chartHeight)
}

func (d Day) count(what string) int64 {
	if what == "calls" {
		return d.Calls
	}
	return d.Rows
}

func (d Day) class() string {
	switch {
	case d.Failed > 0:
		return "bar bad"
	case d.Runs == 0:
		return "bar none"
	}
	return "bar"
}

func (d Day) name() string {
	t, err := time.Parse(time.DateOnly, d.Day)
	if err != nil {
		return d.Day
	}
	return t.Format("Mon 2 Jan")
}

func (d Day) words(what string) string {
	text := fmt.Sprintf("%s: %s %s in %s", d.name(), number(d.count(what)), what, plural(d.Runs, "run"))
	if d.Runs == 0 {
		text = d.name() + ": no run"
	}
	if d.Failed > 0 {
		text += fmt.Sprintf(", %d of which did not end well", d.Failed)
	}
	return text
}

// Name is the day as people write it.
func (d Day) Name() string { return d.name() }
