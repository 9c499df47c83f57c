package main

import (
	"slices"
	"strings"
	"testing"

	"exactduck/extract/sandbox"
)

// What every sync reads whole a deep verification reads too, and says what differed.
func TestDeepVerificationReadsWhatEverySyncReadsWhole(t *testing.T) {
	t.Parallel()
	const stream = "salesinvoice/SalesInvoiceLines"
	const streams = "      - " + stream
	w := newWorld(t, t.TempDir(), streams, sandbox.Options{Divisions: 1, Scale: 0.02, MinuteLimit: -1, DayLimit: -1})
	w.pipelineLines = lakeless
	w.reconfigure(streams)
	w.run(syncOptions{})
	w.tamper("UPDATE salesinvoice.SalesInvoiceLines SET AmountDC = AmountDC + 1 WHERE ID = (SELECT max(ID) FROM salesinvoice.SalesInvoiceLines)",
		"DELETE FROM salesinvoice.SalesInvoiceLines WHERE ID = (SELECT min(ID) FROM salesinvoice.SalesInvoiceLines)")
	if said := toldOf(w.verifies(0, verifyOptions{}), resultSkipped); !slices.Equal(said, []string{"skipped loaded " + stream}) {
		t.Errorf("a plain one says %q", said)
	}
	deep := w.verifies(0, verifyOptions{deep: true})
	if said := saidOf(deep, resultNote); len(said) != 1 || !strings.Contains(said[0], "note content "+stream) || !strings.HasSuffix(said[0], "1 inserted, 1 updated") {
		t.Errorf("a deep one says %q", said)
	}
	w.equal()
	if said := toldOf(w.verifies(0, verifyOptions{deep: true}), resultSame, resultNote); !slices.Equal(said, []string{"same content " + stream}) {
		t.Errorf("the next one says %q", said)
	}
}
