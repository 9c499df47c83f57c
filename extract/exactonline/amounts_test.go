package exactonline

import (
	"strings"
	"testing"

	"exactduck/schema"
)

// A floating-point column that nobody has decided on fails here, and so does a decision on
// nothing.
func TestEveryDoubleIsDecidedOn(t *testing.T) {
	used := map[string]bool{}
	for _, e := range Endpoints() {
		stream := joined(streamName(e))
		for _, p := range e.Properties {
			if p.Edm != edmDouble {
				continue
			}
			used[p.Name], used[stream+"."+p.Name] = true, true
			if !amounts().decided(stream, p.Name) {
				t.Errorf("%s.%s: money or not? Say so in amounts.txt", stream, p.Name)
			}
		}
	}
	for name := range amounts() {
		if !used[name] {
			t.Errorf("amounts.txt lists %s, which no endpoint has", name)
		}
	}
}

func TestAmountsAreDecimal(t *testing.T) {
	for column, want := range map[string]schema.Type{
		"financial/TransactionLines.AmountDC":         schema.Decimal,
		"financial/TransactionLines.ExchangeRate":     schema.Double,
		"financial/TransactionLines.Quantity":         schema.Double,
		"financial/TransactionLines.VATPercentage":    schema.Double,
		"salesinvoice/SalesInvoiceLines.VATAmountDC":  schema.Decimal,
		"salesinvoice/SalesInvoiceLines.UnitPrice":    schema.Double,
		"salesinvoice/SalesInvoices.Discount":         schema.Double,
		"crm/Accounts.CreditLineSales":                schema.Decimal,
		"crm/Accounts.Latitude":                       schema.Double,
		"logistics/Items.StatisticalValue":            schema.Double,
		"salesentry/SalesEntryLines.StatisticalValue": schema.Decimal,
		"payroll/EmploymentSalaries.FulltimeAmount":   schema.Decimal,
		"payroll/EmploymentSalaries.HourlyWage":       schema.Double,
		"payroll/VariableMutations.Value":             schema.Double,
		"project/ProjectHourBudgets.Budget":           schema.Double,
		"general/Currencies.AmountPrecision":          schema.Double,
	} {
		name, property, _ := strings.Cut(column, ".")
		s, _, err := Lookup(name)
		if err != nil {
			t.Error(err)
			continue
		}
		for _, v := range s.Variants {
			if i := v.Table.Index(property); i < 0 || v.Table.Columns[i].Type != want {
				t.Errorf("%s in %s: want %v", property, v.Name, want)
			}
		}
	}
}

func TestOtherTypes(t *testing.T) {
	for column, want := range map[string]string{
		"crm/Accounts.ID":                  "UUID",
		"crm/Accounts.Timestamp":           "BIGINT",
		"crm/Accounts.Division":            "INTEGER",
		"crm/Accounts.Modified":            "TIMESTAMP",
		"crm/Accounts.IsSupplier":          "BOOLEAN",
		"crm/Accounts.Logo":                "BLOB",
		"crm/Accounts.Name":                "VARCHAR",
		"financial/GLAccounts.IsBlocked":   "BOOLEAN",
		"assets/Assets.AlreadyDepreciated": "UTINYINT",
		"financial/TransactionLines.Type":  "INTEGER",
		"project/ProjectWBS.BlockEntry":    "UTINYINT", // sync says Byte, bulk Boolean
	} {
		name, property, _ := strings.Cut(column, ".")
		s, _, err := Lookup(name)
		if err != nil {
			t.Error(err)
			continue
		}
		for _, v := range s.Variants {
			if i := v.Table.Index(property); i >= 0 && v.Table.Columns[i].Type.String() != want {
				t.Errorf("%s in %s is %v, want %s", property, v.Name, v.Table.Columns[i].Type, want)
			}
		}
		if !hasColumn(s.Variants[0].Table, property) {
			t.Errorf("%s has no %s", name, property)
		}
	}
}
