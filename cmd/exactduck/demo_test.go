package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// A demo, one in the same folder that goes on with payments, and what its last words say to type.
func TestDemo(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "demo")
	config := filepath.Join(dir, "pipelines.yaml")
	tell := func(args ...string) string {
		t.Helper()
		code, out, complaints := typed(t.Context(), "", args...)
		if code != 0 {
			t.Fatalf("%q: exit code %d: %s%s", args, code, out, complaints)
		}
		return out
	}
	says := func(out string, wanted ...string) {
		t.Helper()
		for _, want := range wanted {
			if !regexp.MustCompile(`(?m)` + want).MatchString(out) {
				t.Errorf("it does not say %q:\n%s", want, out)
			}
		}
	}

	plain := tell("demo", "--dir", dir, "--listen", "127.0.0.1:0")
	says(plain, `^nightly done: .* published the file`, `^▸ what was earned\?`)
	if _, err := os.Stat(filepath.Join(dir, "sandbox.pay.ndjson")); err == nil || strings.Contains(plain, "Payments listens") || strings.Contains(plain, "exactpay") {
		t.Errorf("it knows of payments (%v):\n%s", err, plain)
	}
	address := regexp.MustCompile(`127\.0\.0\.1:\d+`).FindString(plain)

	both := tell("demo", "--all", "--dir", dir, "--listen", address)
	says(both, `^▸ so does a simulated Exact Payments`, `^▸ logged in already`, `^▸ logged in to Exact Payments`,
		`^nightly done: .* nothing changed`, `^ exactpay/payments +[0-9a-f]{24} .*first load`, `^payments done: .* published the file`,
		`^ +invoice  customer .* currency +invoiced +paid +refunded`, `^ +\d+  \S.*  EUR +(\d+\.\d\d)00 +\d+\.\d\d `, `_sandbox/pay/change`)
	if last := strings.LastIndex(both, "▸ "); !strings.HasPrefix(both[last:], "▸ which invoices were paid") {
		t.Errorf("the last question is another one:\n%s", both[last:])
	}

	running := startSandbox(t, "--listen", address, "--state", filepath.Join(dir, "sandbox.ndjson"))
	defer func() { running.stop(); <-running.ended }()
	running.post(t, "pay/change?resource=payments&insert=3")
	says(tell("sync", "--config", config), `^nightly done: .* nothing changed`, `^payments done: .* 3 upserted, 0 deleted`)
	says(tell("status", "--config", config), `an application token, which does not expire`)
	const matched = `SELECT count(*) > 100, bool_and(p.amount * 0.01 = i.AmountDC) FROM exactpay.payments p
JOIN salesinvoice.SalesInvoices i ON p.reference_customerRef = i.InvoiceNumber::VARCHAR AND i._division = 123456 WHERE p.type = 'payment' AND p.captured`
	says(tell("query", "--config", config, "--output", "csv", matched), `^true,true\s*$`)
}
