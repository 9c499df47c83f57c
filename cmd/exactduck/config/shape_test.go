package config_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"exactduck/cmd/exactduck/config"
	"exactduck/schema"
)

func choicesOf(t *testing.T, streams, more string) ([]*config.Choice, *config.Config) {
	t.Helper()
	c := parse(t, strings.Replace(minimal, "    streams: [crm/Accounts]\n", "    streams:\n"+streams+more, 1))
	choices, err := c.Pipelines["nightly"].Choices(catalogue)
	if err != nil {
		t.Fatal(err)
	}
	return choices, c
}

func TestTypesOfColumns(t *testing.T) {
	choices, c := choicesOf(t, `
      - stream: crm/Accounts
        columns: {Shoe: BIGINT}
        types: {Hat: DECIMAL, Name: VARCHAR}
        numbers: {CreditLinePurchase: double}
        contract: freeze
      - financial/GLAccounts
`, "    numbers: {crm/Accounts.DiscountPurchase: decimal, crm/Accounts.CreditLineSales: decimal}\n    contract: evolve\n")
	want := map[string]schema.Type{
		"Shoe": schema.BigInt, "Hat": schema.Decimal, "CreditLinePurchase": schema.Double, "DiscountPurchase": schema.Decimal,
	}
	if diff := cmp.Diff(want, choices[0].Types); diff != "" {
		t.Error(diff)
	}
	table := choices[0].Table(choices[0].Stream.Variants[0])
	for name, kind := range want {
		if at := table.Index(name); at < 0 || table.Columns[at].Type != kind {
			t.Errorf("%s is column %d of %v", name, at, table.Columns)
		}
	}
	if choices[0].Contract != config.Freeze || choices[1].Contract != config.Evolve || choices[1].Types != nil {
		t.Errorf("contracts are %s and %s, types of the other %v", choices[0].Contract, choices[1].Contract, choices[1].Types)
	}
	warnings := strings.Join(c.Warnings(), "\n")
	if !strings.Contains(warnings, "the catalogue has Name of crm/Accounts by now, as VARCHAR") {
		t.Errorf("warnings are %q", warnings)
	}
}

func TestOwnColumnsComeBesideThoseThatAreNamed(t *testing.T) {
	choices, _ := choicesOf(t, "\n      - {stream: crm/Accounts, columns: [Name, Shoe], types: {Shoe: BIGINT}}\n", "")
	table := choices[0].Table(choices[0].Stream.Variants[0])
	if table.Index("Shoe") < 0 || table.Index("Name") < 0 || table.Index("Email") >= 0 {
		t.Errorf("columns are %v", table.Columns)
	}
}

func TestProblemsOfShapes(t *testing.T) {
	for streams, want := range map[string]string{
		"      - {stream: crm/Accounts, types: {Shoe: HUGE}}\n":                    `there is no type "HUGE"`,
		"      - {stream: crm/Accounts, columns: {_extra: JSON}}\n":                `"_extra" cannot be the name of a property`,
		"      - {stream: crm/*, types: {Shoe: VARCHAR}}\n":                        "several streams at once",
		"      - {stream: crm/Accounts, numbers: {Name: double}}\n":                "Name is VARCHAR, and only",
		"      - {stream: crm/Accounts, numbers: {Nam: double}}\n":                 `there is no column "Nam"`,
		"      - {stream: crm/Accounts, numbers: {DiscountSales: float}}\n":        `"float" is no way to keep a number`,
		"      - {stream: crm/Accounts, contract: strict}\n":                       `"strict" is not known`,
		"      - crm/Accounts\n    numbers: {crm/Contacts.Amount: decimal}\n":      "the pipeline does not read crm/Contacts",
		"      - crm/Accounts\n    numbers: {CreditLineSales: decimal}\n":          "is no column of a stream",
		"      - crm/Accounts\n    defaults: {contract: never}\n":                  `"never" is not known`,
		"      - {stream: crm/Accounts, columns: [Name], exclude_columns: [ID]}\n": "both given",
	} {
		_, err := config.Parse([]byte(strings.Replace(minimal, "    streams: [crm/Accounts]\n", "    streams:\n"+streams, 1)), "/p.yaml", catalogue)
		bad, ok := errors.AsType[*config.Error](err)
		if !ok || !strings.Contains(bad.Error(), want) {
			t.Errorf("%s gives %v, want %s", streams, err, want)
		}
	}
}
