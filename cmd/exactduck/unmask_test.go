package main

import (
	"slices"
	"strings"
	"testing"
	"time"

	"exactduck/extract/sandbox"
)

// A mask that is taken away from a property without a column brings its values back as rows change. The
// plan and the run say so, once, and what they say brings all of them.
func TestAMaskThatGoesFromAPropertyWithoutAColumn(t *testing.T) {
	t.Parallel()
	const streams = "      - crm/Accounts\n      - crm/Contacts"
	w := newWorld(t, t.TempDir(), streams, sandbox.Options{Divisions: 1, Scale: 0.02, MinuteLimit: -1, DayLimit: -1})
	if err := w.sandbox.AddProperty("sync/CRM/Accounts", "Novelty", "Edm.String", "new"); err != nil {
		t.Fatal(err)
	}
	const mask = "    mask: {novelty: drop, Secret: drop, Email: drop}\n"
	w.pipelineLines = mask + lakeless
	w.reconfigure(streams)
	w.run(syncOptions{})
	w.pipelineLines = strings.Replace(mask, "novelty: drop, Secret: drop, ", "", 1) + lakeless
	w.reconfigure(streams)
	planned, err := w.outlook(t.Context(), w.pipeline(), syncOptions{}, false)
	if err != nil {
		t.Fatal(err)
	}
	w.clock.advance(time.Hour)
	told := w.run(syncOptions{}).Warnings
	for who, said := range map[string][]string{"the plan": planned.Warnings, "the run": told} {
		said = slices.DeleteFunc(slices.Clone(said), func(s string) bool { return !strings.Contains(s, "mask") })
		if len(said) != 1 || !strings.HasPrefix(said[0], "crm/Accounts: the mask of Novelty has changed") || !strings.Contains(said[0], "exactduck sync --full --streams crm/Accounts") {
			t.Errorf("%s says %q", who, said)
		}
	}
	const back = "SELECT count(_extra->>'Novelty') = count(*) FROM crm.Accounts"
	if got := w.only(back); got != "false" {
		t.Errorf("they are back already: %s", got)
	}
	w.clock.advance(time.Hour)
	if again := w.run(syncOptions{full: true, streams: []string{"crm/Accounts"}}); strings.Contains(strings.Join(again.Warnings, "\n"), "mask") || w.only(back) != "true" {
		t.Errorf("after what was said: %s, %q", w.only(back), again.Warnings)
	}
}
