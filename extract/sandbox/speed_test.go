package sandbox_test

import (
	"net/http"
	"testing"

	"exactduck/extract/exactonline"
	"exactduck/extract/sandbox"
)

func BenchmarkStart(b *testing.B) {
	for b.Loop() {
		if _, err := sandbox.New(sandbox.Options{}); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkBooks generates the coherent part of a company.
func BenchmarkBooks(b *testing.B) {
	for b.Loop() {
		s, err := sandbox.New(sandbox.Options{})
		if err != nil {
			b.Fatal(err)
		}
		if len(s.Records(0, "general/Currencies")) == 0 {
			b.Fatal("no books")
		}
	}
}

func BenchmarkSmallCalls(b *testing.B) {
	v := visit(b, sandbox.Options{})
	for b.Loop() {
		if status, _, _ := v.get("/api/v1/123456/crm/AccountClasses?$select=ID&$top=1"); status != http.StatusOK {
			b.Fatal(status)
		}
	}
}

// BenchmarkPage answers 1,000 rows of 72 columns.
func BenchmarkPage(b *testing.B) {
	v := visit(b, sandbox.Options{})
	e, _ := exactonline.EndpointFor("/api/v1/{division}/sync/Financial/TransactionLines")
	address := place(e, "123456") + "?" + selectAll(e)
	for b.Loop() {
		status, _, body := v.get(address)
		if status != http.StatusOK {
			b.Fatal(body)
		}
		b.SetBytes(int64(len(body)))
	}
}

// BenchmarkOutline answers 1,000 rows of 78 columns that are made up as they are looked at.
func BenchmarkOutline(b *testing.B) {
	v := visit(b, sandbox.Options{Records: map[string]int{"salesorder/SalesOrderHeaders": 100_000}})
	e, _ := exactonline.EndpointFor("/api/v1/{division}/sync/SalesOrder/SalesOrderHeaders")
	address := place(e, "123456") + "?" + selectAll(e)
	v.get(address)
	for b.Loop() {
		status, _, body := v.get(address)
		if status != http.StatusOK {
			b.Fatal(body)
		}
		b.SetBytes(int64(len(body)))
	}
}
