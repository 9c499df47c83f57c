package exactpay

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"exactduck/extract"
	"exactduck/schema"
)

// TestCatalogue holds the lists to what reading relies on.
func TestCatalogue(t *testing.T) {
	marks := []string{"confirmed", "single", "example"}
	for _, e := range Endpoints() {
		kinds := map[string]schema.Type{}
		for _, c := range e.Columns {
			if kinds[c.Name] != 0 || !slices.Contains(marks, c.Mark) || c.Kind == "" {
				t.Errorf("%s: column %s comes twice, or nothing is said of it", e.Name, c.Name)
			}
			kinds[c.Name] = c.Type
		}
		for _, k := range e.Key {
			if kinds[k] != schema.Varchar {
				t.Errorf("%s: its key %s is no text", e.Name, k)
			}
		}
		for _, dated := range []string{e.Order, e.Cursor} {
			if dated != "" && kinds[dated] != schema.TimestampTZ {
				t.Errorf("%s: %s is no instant", e.Name, dated)
			}
		}
		switch {
		case len(e.Key) == 0, e.Title == "", e.Permission == "", e.Mark == "", e.Total == "":
			t.Errorf("%s: something is not said", e.Name)
		case e.Organization == "" && e.Account == "" && e.Own == "", e.Shared && e.Account != "", !e.Shared && e.Own == "":
			t.Errorf("%s: it cannot be asked for where it belongs", e.Name)
		case e.Order != "" && e.Sort == "", (e.Cursor != "" || e.Span > 0) != (e.Lookback > 0):
			t.Errorf("%s: the way to read it does not add up", e.Name)
		case (e.Each != "") != strings.Contains(e.Account, "{id}"):
			t.Errorf("%s: nobody knows of what it is asked for", e.Name)
		}
		for _, path := range append(slices.Clone(e.Extra), e.Secret...) {
			if kinds[strings.Replace(path, ".", "_", 1)] != 0 {
				t.Errorf("%s: %s is a column and beside the columns", e.Name, path)
			}
		}
	}
}

func TestStreams(t *testing.T) {
	var names, quiet, shared []string
	for _, s := range Streams() {
		names = append(names, s.Name)
		if s.Quiet {
			quiet = append(quiet, s.Name)
		}
		if s.Shared {
			shared = append(shared, s.Name)
		}
		v := s.Variants[0]
		if v.Table.FullName() != strings.Replace(s.Name, "/", ".", 1) || v.Table.Scope != (schema.Column{Name: "_account", Type: schema.Varchar}) {
			t.Errorf("%s is table %s of %v", s.Name, v.Table.FullName(), v.Table.Scope)
		}
		if v.Reconciled != (v.Cursor == extract.Modified) || v.Windowed && v.Dated != "" || EndpointOf(v) == nil {
			t.Errorf("%+v", v)
		}
	}
	if got := strings.Join(names, " "); got != "exactpay/accounts exactpay/customers exactpay/mcc exactpay/onboardings exactpay/orders exactpay/payment_methods exactpay/payments" {
		t.Error(got)
	}
	if got := strings.Join(quiet, " "); got != "exactpay/onboardings exactpay/payment_methods" {
		t.Error(got)
	}
	if got := strings.Join(shared, " "); got != "exactpay/accounts exactpay/mcc exactpay/onboardings exactpay/orders" {
		t.Error(got)
	}
	if EndpointOf(&extract.Variant{}) != nil {
		t.Error("a variant of another source has a list of this one")
	}
}

func TestLookup(t *testing.T) {
	for _, name := range []string{"exactpay/payments", "ExactPay/Payments", "payments"} {
		if s, v, err := Lookup(name); err != nil || s.Name != "exactpay/payments" || v != nil {
			t.Errorf("%s: %v, %v, %v", name, s, v, err)
		}
	}
	for name, near := range map[string]string{"exactpay/paymnts": "exactpay/payments", "customer": "exactpay/customers", "crm/Accounts": "exactpay/accounts", "exactpay/zzzzzzzzzz": "", "": ""} {
		_, _, err := Lookup(name)
		unknown, ok := errors.AsType[*extract.UnknownStream](err)
		if !ok || len(unknown.Near) > 0 != (near != "") || near != "" && unknown.Near[0] != near {
			t.Errorf("%q: %v", name, err)
		}
	}
}

func TestMatch(t *testing.T) {
	for pattern, want := range map[string]int{"*": 5, "exactpay/*": 5, "EXACTPAY/pay*": 1, "exactpay/[ao]*": 2, "exactpay/payment_methods": 1, "exactpay/onboard*": 0, "crm/*": 0, "exactpay/[": -1} {
		found, err := Match(pattern)
		if len(found) != max(want, 0) || (err != nil) != (want <= 0) {
			t.Errorf("%s selects %d, %v", pattern, len(found), err)
		}
	}
}

func TestExplain(t *testing.T) {
	for _, tc := range []struct {
		status                int
		endpoint, code, words string
		means                 string
	}{
		{401, "exactpay/customers", "", "Unauthorized", "does not accept the token"},
		{403, "exactpay/payments", "payments-forbidden-error", "You do not have permission", "probably charges.read"},
		{403, "exactpay/payments", "payments-forbidden-error", "Account not found", "may not read this account"},
		{403, "exactpay/customers", "", "Unauthorized", "customers.read"},
		{403, "exactpay/mcc", "", "", "which one is not documented"},
		{404, "exactpay/accounts", "", "Not Found", "does not know"},
		{500, "exactpay/payments", "unhandled", "CastError: x", "malformed name"},
	} {
		e, ok := Explain(&extract.Refused{Status: tc.status, Endpoint: tc.endpoint, Reason: tc.code, Message: tc.words})
		if !ok || !strings.Contains(e.Means, tc.means) || e.Do == "" {
			t.Errorf("%+v: %+v", tc, e)
		}
	}
	e, ok := Explain(&extract.Unreachable{Endpoint: "exactpay/payments", Err: errors.New("429 too many requests")})
	if !ok || !strings.Contains(e.Means, "less often") {
		t.Errorf("%+v", e)
	}
	if e, ok := Explain(errors.New("x")); ok {
		t.Errorf("%+v", e)
	}
}
