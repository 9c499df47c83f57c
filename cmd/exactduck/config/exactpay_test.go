package config_test

import (
	"errors"
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"exactduck/cmd/exactduck/config"
	"exactduck/extract/exactpay"
)

// both are the catalogues of two kinds of source.
var both = func() config.Catalogues {
	all := maps.Clone(catalogue)
	all["exactpay"] = config.Catalogue{Lookup: exactpay.Lookup, Match: exactpay.Match, Streams: exactpay.Streams, Example: "exactpay/*"}
	return all
}()

const shop = `version: 1
connections:
  books: {type: exact-online, region: nl, client_id: a, client_secret: '${B}'}
  shop:
    type: exactpay
    environment: sandbox
    application: books
    organization: 64b04d6d198ce11d0d64ca2a
pipelines:
  nightly: {from: books, streams: [crm/Accounts], to: {duckdb: warehouse.duckdb}}
  payments:
    from: shop
    accounts: [64b04d6d198ce11d0d64ca2b, "Corner *"]
    defaults: {lookback: 10d}
    streams: [exactpay/*, {stream: exactpay/payments, lookback: 20d}]
    to: {duckdb: warehouse.duckdb}
`

func TestExactPaymentsBesideExactOnline(t *testing.T) {
	c, err := config.Parse([]byte(shop), "/books/pipelines.yaml", both)
	if err != nil {
		t.Fatal(err)
	}
	p := c.Pipelines["payments"]
	choices, err := p.Choices(both)
	if err != nil {
		t.Fatal(err)
	}
	back := map[string]time.Duration{}
	for _, choice := range choices {
		if choice.Lookback != 0 {
			back[choice.Stream.Name] = choice.Lookback
		}
	}
	got := []any{c.Connections["shop"].BaseURL, p.Kind(), p.Divisions, back["exactpay/payments"], back["exactpay/mcc"], c.Pipelines["nightly"].Divisions, len(c.Warnings())}
	want := []any{
		exactpay.SandboxURL, "exactpay",
		config.Divisions{"64b04d6d198ce11d0d64ca2b", "Corner *"},
		20 * 24 * time.Hour, time.Duration(0),
		config.Divisions{"all"},
		0,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestProblemsOfExactPayments(t *testing.T) {
	for _, test := range []struct{ name, old, replacement, want, hint string }{
		{"no environment", "    environment: sandbox\n", "", "connections.shop.environment: is missing", "production"},
		{"bad environment", "sandbox", "test", `connections.shop.environment: there is no environment "test"`, "sandbox"},
		{"two addresses", "sandbox", "sandbox\n    base_url: https://api.example.com", "base_url and environment are both given", ""},
		{"plain http", "environment: sandbox", "base_url: http://api.example.com", "connections.shop.base_url: must begin with https://", ""},
		{"a path", "environment: sandbox", "base_url: https://api.example.com/v1", "must end with the host", ""},
		{"no token", "    application: books\n", "", "connections.shop.application: is missing", "auth login"},
		{"bad application", "application: books", "application: a/b", `"a/b" cannot be the name of an application`, ""},
		{"half a token", "application: books", "token: x${A}", "connections.shop.token: refers to a variable", "EXACTPAY_TOKEN"},
		{"bad organization", "64b04d6d198ce11d0d64ca2a\n", "64B04D6D198CE11D0D64CA2A\n", "is not 24 hexadecimal digits in lower case", ""},
		{"another's key", "environment: sandbox", "environment: sandbox\n    region: nl", "connections.shop.region: is for connections of type exact-online, and this one is of type exactpay", "has environment:"},
		{"another's secret", "application: books", "application: books\n    client_secret: ${X}", "connections.shop.client_secret: is for connections of type exact-online", "has token:"},
		{"our key elsewhere", "region: nl,", "region: nl, environment: sandbox,", "connections.books.environment: is for connections of type exactpay", "has region:"},
		{"a filter", "exactpay/payments, lookback: 20d", "exactpay/payments, filter: amount gt 5", "what comes from a source of this type cannot be filtered", "exclude_columns: and mask:"},
		{"a function", "exactpay/payments, lookback: 20d", "exactpay/payments, params: {a: 1}", "there are no functions at a source of this type", "remove it"},
		{"an endpoint", "exactpay/payments, lookback: 20d", "exactpay/plans, path: exactpay/plans, types: {id: String}, key: [id]", "there are no endpoints at a source of this type beside those of its catalogue", "exactduck endpoints 'exactpay/*'"},
		{"divisions", "accounts:", "divisions:", "pipelines.payments.divisions: is for connections of type exact-online", "has accounts:"},
		{"accounts", "streams: [crm/Accounts]", "accounts: all, streams: [crm/Accounts]", "pipelines.nightly.accounts: is for connections of type exactpay", "has divisions:"},
		{"large letters", "64b04d6d198ce11d0d64ca2b", "64B04D6D198CE11D0D64CA2B", "pipelines.payments.accounts[1]: 64B04D6D198CE11D0D64CA2B is no account", ""},
		{"another's stream", "[exactpay/*,", "[crm/Accounts,", "there is no stream", ""},
		{"no lookback", "lookback: 20d", "lookback: none", "pipelines.payments.streams[2].lookback: cannot be none", "1d"},
		{"lookback of nothing", "{stream: exactpay/payments,", "{stream: exactpay/mcc,", "pipelines.payments.streams[2].lookback: remove", ""},
		{"lookback elsewhere", "streams: [crm/Accounts]", "streams: [{stream: crm/Accounts, lookback: 2d}]", "reads of crm/Accounts begin at their cursor", "remove it"},
	} {
		t.Run(test.name, func(t *testing.T) {
			if !strings.Contains(shop, test.old) {
				t.Fatalf("no %q", test.old)
			}
			_, err := config.Parse([]byte(strings.Replace(shop, test.old, test.replacement, 1)), "pipelines.yaml", both)
			wrong, ok := errors.AsType[*config.Error](err)
			if !ok {
				t.Fatalf("no problem was found: %v", err)
			}
			p := wrong.Problems[0]
			if got := fmt.Sprintf("%s %s", p.Message, p.Hint); !strings.Contains(p.Message, strings.TrimSuffix(test.want, ": remove")) || !strings.Contains(got, test.hint) {
				t.Errorf("%s", got)
			}
		})
	}
}

func TestProductionIsWhereThePackageSays(t *testing.T) {
	c, err := config.Parse([]byte(strings.Replace(shop, "environment: sandbox", "environment: production", 1)), "p.yaml", both)
	if err != nil || c.Connections["shop"].BaseURL != exactpay.ProductionURL {
		t.Errorf("%+v, %v", c, err)
	}
}

func TestATokenInTheConfiguration(t *testing.T) {
	c, err := config.Parse([]byte(strings.Replace(shop, "application: books", "token: hush", 1)), "p.yaml", both)
	if err != nil {
		t.Fatal(err)
	}
	if w := c.Warnings(); len(w) != 1 || !strings.Contains(w[0], "connections.shop.token is written into the file") || strings.Contains(w[0], "hush") {
		t.Errorf("warnings %q", w)
	}
	if token, err := c.Token("shop", nil); err != nil || token != "hush" {
		t.Errorf("%q, %v", token, err)
	}
	if token, err := c.Token("books", nil); err != nil || token != "" {
		t.Errorf("%q, %v", token, err)
	}
	twice := strings.Replace(shop, "pipelines:\n", "  other: {type: exactpay, environment: production, token: '${T}'}\npipelines:\n", 1) +
		"  more: {from: other, streams: [exactpay/payments], to: {duckdb: warehouse.duckdb}}\n"
	if _, err := config.Parse([]byte(twice), "p.yaml", both); err == nil || !strings.Contains(err.Error(), "connections shop and other would write the same tables") {
		t.Errorf("two connections of one type: %v", err)
	}
}
