package main

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"exactduck/extract/exactonline"
	"exactduck/extract/exactpay"
)

func TestEndpointsAsTable(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ pattern, want string }{
		{"crm/*", "crm/Accounts crm.Accounts sync, bulk, standard ID 166 row version feed division crm.accounts"},
		{"system/*", "system/Divisions exact_system.Divisions standard Code 57 modified sweep connection organization.administration"},
		{"openingbalance/*/*", "openingbalance/CurrentYear/Processed openingbalance.CurrentYear_Processed standard"},
		{"read/financial/*", "read/financial/ReceivablesList financial.ReceivablesList read HID"},
	} {
		_, out, _ := typed(t.Context(), "", "endpoints", test.pattern)
		found := slices.ContainsFunc(strings.Split(out, "\n"), func(line string) bool {
			return strings.HasPrefix(strings.Join(strings.Fields(line), " "), test.want)
		})
		if !found {
			t.Errorf("%s has no line %q:\n%s", test.pattern, test.want, out)
		}
	}
	_, out, _ := typed(t.Context(), "", "endpoints")
	if lines, want := strings.Count(out, "\n"), len(exactonline.Streams())+len(exactpay.Streams())+2; lines != want {
		t.Errorf("without a pattern there are %d lines, want %d", lines, want)
	}
}

func TestEndpointsShowsOneStreamWithItsColumns(t *testing.T) {
	t.Parallel()
	code, out, complaints := typed(t.Context(), "", "endpoints", "CRM/accounts")
	if code != 0 || complaints != "" {
		t.Fatalf("exit code %d: %s", code, complaints)
	}
	var lines []string
	for line := range strings.SplitSeq(out, "\n") {
		lines = append(lines, strings.Join(strings.Fields(line), " "))
	}
	for _, want := range []string{
		"stream crm/Accounts", "table crm.Accounts", "key ID", "cursor row version", "deletions Exact's feed says what is gone",
		"scope division", "OAuth scope crm.accounts", "sync/CRM/Accounts sync 1000 row version crm.accounts", "bulk/CRM/Accounts bulk 1000 modified crm.accounts",
		"crm/Accounts standard 60 modified crm.accounts", "Timestamp BIGINT Edm.Int64 only in sync/CRM/Accounts", "ID UUID Edm.Guid key",
		"CreditLineSales DECIMAL(18,4) Edm.Double",
	} {
		if !slices.Contains(lines, want) {
			t.Errorf("no line %q", want)
		}
	}
	if t.Failed() {
		t.Log(out)
	}
}

func TestEndpointsAsJSON(t *testing.T) {
	t.Parallel()
	_, out, _ := typed(t.Context(), "", "endpoints", "--output", "json")
	var envelope struct{ Data []streamFacts }
	if err := json.Unmarshal([]byte(out), &envelope); err != nil {
		t.Fatal(err)
	}
	if len(envelope.Data) != len(exactonline.Streams())+len(exactpay.Streams()) {
		t.Errorf("%d streams", len(envelope.Data))
	}
	for _, f := range envelope.Data {
		s, _, err := vendorNamed(f.Stream).kind().Lookup(f.Stream)
		if err != nil {
			t.Fatal(err)
		}
		if len(f.Variants) != len(s.Variants) || f.Variants[0].Name != s.Variants[0].Name || f.Table != s.Variants[0].Table.FullName() {
			t.Errorf("%s: variants %v, table %s", f.Stream, f.Variants, f.Table)
		}
		if f.Cursor == "" || f.Deletions == "" || f.Scope == "" || len(f.Columns) < len(s.Variants[0].Table.Columns) {
			t.Errorf("%s is not complete", f.Stream)
		}
		if !slices.Equal(f.Key, orEmpty(s.Variants[0].Table.Key)) {
			t.Errorf("%s: key %v", f.Stream, f.Key)
		}
	}
	at := slices.IndexFunc(envelope.Data, func(f streamFacts) bool { return f.Stream == "payroll/Employees" })
	if !envelope.Data[at].Personal || envelope.Data[at].Quiet {
		t.Error("payroll/Employees is not personal, or left out by wildcards")
	}
}

func TestEndpointsErrors(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		args []string
		want string
	}{
		{[]string{"crm/Acounts"}, `error: there is no stream "crm/Acounts", did you mean crm/Accounts?`},
		{[]string{"crmm/*"}, `error: there is no stream "crmm/*", did you mean crm/*`},
		{[]string{"sync/Deleted"}, "error: sync/Deleted cannot be pulled: the deletions of a division are read with every run"},
		{[]string{"bulk/general/Currencies"}, "error: "},
		{[]string{"["}, "error: \"[\" is no pattern\nhint: * stands for any text"},
		{[]string{"a", "b"}, "error: endpoints takes one pattern\nhint: put it in quotes"},
	} {
		code, out, complaints := typed(t.Context(), "", append([]string{"endpoints"}, test.args...)...)
		if code != exitUsage || out != "" || !strings.Contains(complaints, test.want) || !strings.Contains(complaints, "\nhint: ") {
			t.Errorf("%q: exit code %d, %s%s", test.args, code, out, complaints)
		}
	}
}
