package main

import (
	"bytes"
	"encoding/json"
	"math"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"exactduck/extract/exactonline"
	"exactduck/extract/sandbox"
	"exactduck/extract/sandbox/pay"
)

func TestPathsOfSandboxesAreApart(t *testing.T) {
	t.Parallel()
	for _, e := range exactonline.Endpoints() {
		if pay.Serves(e.Path) {
			t.Errorf("Exact Payments answers to %s", e.Path)
		}
	}
	for _, path := range []string{"/api/oauth2/auth", "/api/oauth2/token", "/_sandbox/calls", "/_sandbox/change", "/"} {
		if pay.Serves(path) {
			t.Errorf("Exact Payments answers to %s", path)
		}
	}
}

// ask sends a request to a sandbox that somebody has started, and reads the JSON it answers with.
func (r *running) ask(t *testing.T, method, path, token string, body, into any) int {
	t.Helper()
	text, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	request, err := http.NewRequestWithContext(t.Context(), method, r.URL+path, bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", token)
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	if err := json.NewDecoder(answer.Body).Decode(into); err != nil {
		t.Errorf("%s answers %d: %v", path, answer.StatusCode, err)
	}
	return answer.StatusCode
}

// payer is a payment, as far as the tests of the command look at it.
type payer struct {
	ID, Type  string
	Amount    int64
	Reference struct{ CustomerRef string }
}

func (r *running) logIn(t *testing.T) string {
	t.Helper()
	p := r.Payments
	var who struct{ Token string }
	wish := map[string]string{"email": p.Email, "password": p.Password, "application": p.Application}
	if status := r.ask(t, http.MethodPost, "/token", "", wish, &who); status != http.StatusCreated || who.Token == "" {
		t.Fatalf("logging in answers %d", status)
	}
	return who.Token
}

// One address has both, and the payments are of the invoices.
func TestSandboxServesPayments(t *testing.T) {
	t.Parallel()
	state := filepath.Join(t.TempDir(), "sandbox.ndjson")
	first := startSandbox(t, "--state", state, "--divisions", "1", "--scale", "0.1", "--accounts", "3", "--seed", "3", "--set", "pay.page_cap=5")
	p := first.Payments
	if len(p.Accounts) != 3 || p.Organization == "" || p.StateFile != filepath.Join(filepath.Dir(state), "sandbox.pay.ndjson") {
		t.Errorf("it says %+v", p)
	}
	token := first.logIn(t)
	var payments []payer
	if status := first.ask(t, http.MethodGet, "/account/"+p.Accounts[0]+"/payments", token, nil, &payments); status != http.StatusOK || len(payments) != 5 {
		t.Errorf("payments answer %d with %d", status, len(payments))
	}
	var done map[string]string
	if status := first.ask(t, http.MethodPost, "/_sandbox/pay/set?page_cap=0", "", nil, &done); status != http.StatusOK {
		t.Errorf("setting a switch answers %d", status)
	}
	if status := visitURL(t.Context(), t, http.MethodGet, first.URL+"/api/v1/current/Me"); status != http.StatusUnauthorized {
		t.Errorf("Exact Online answers %d", status)
	}
	first.stop()
	if code := <-first.ended; code != 0 {
		t.Errorf("exit code %d: %s", code, first.log.String())
	}
	second := startSandbox(t, "--state", state)
	defer func() { second.stop(); <-second.ended }()
	if second.Payments.Password != p.Password || !slices.Equal(second.Payments.Accounts, p.Accounts) {
		t.Errorf("started again it is %+v", second.Payments)
	}
	if status := second.ask(t, http.MethodGet, "/account/"+p.Accounts[0]+"/payments", token, nil, &payments); status != http.StatusOK || len(payments) <= 5 {
		t.Errorf("started again payments answer %d with %d", status, len(payments))
	}
}

// What customers paid is what the invoices said.
func TestPaymentsAreOfInvoices(t *testing.T) {
	t.Parallel()
	both, err := newSimulated(sandbox.Options{Divisions: 1, Scale: 0.1}, pay.Options{Scale: 0.1})
	if err != nil {
		t.Fatal(err)
	}
	defer both.Close()
	amounts := map[string]int64{}
	for _, r := range both.exact.Records(0, "salesinvoice/SalesInvoices") {
		amount, err := r["AmountDC"].(json.Number).Float64()
		if err != nil {
			t.Fatal(err)
		}
		amounts[strconv.FormatInt(r["InvoiceNumber"].(int64), 10)] = int64(math.Round(amount * 100))
	}
	paid := 0
	for _, r := range both.pay.Records("", "payments") {
		ref, _ := r["reference"].(map[string]any)["customerRef"].(string)
		if amount, ok := amounts[ref]; ok && r["type"] == "payment" && r["approved"] == true {
			paid++
			if r["amount"] != amount {
				t.Errorf("invoice %s of %d is paid with %v", ref, amount, r["amount"])
			}
		}
	}
	if paid < len(amounts)/2 || paid >= len(amounts) {
		t.Errorf("%d of %d invoices are paid", paid, len(amounts))
	}
}

func TestSandboxRefusesPaymentsThatCannotBe(t *testing.T) {
	t.Parallel()
	state := filepath.Join(t.TempDir(), "s.ndjson")
	if err := os.WriteFile(payState(state), []byte("{\"op\":\"origin\"}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		args []string
		code int
		want string
	}{
		{[]string{"--accounts", "0", "--state", ""}, 2, "--accounts must be at least 1"},
		{[]string{"--accounts", "2", "--state", state}, 2, "s.pay.ndjson holds accounts already, which --accounts cannot change"},
		{[]string{"--set", "pay.filters=maybe", "--state", ""}, 2, `--set pay.filters=maybe: switch filters: "maybe" is none of obeyed ignored refused`},
		{[]string{"--set", "pay.nothing=1", "--state", ""}, 2, "there is no switch nothing"},
		{[]string{"--listen", "127.0.0.1:0", "--state", state}, 10, "s.pay.ndjson does not begin with its origin"},
	} {
		code, out, complaints := typed(t.Context(), "", append([]string{"sandbox"}, test.args...)...)
		if code != test.code || out != "" || !strings.Contains(complaints, test.want) || !strings.Contains(complaints, "\nhint: ") {
			t.Errorf("%q: exit code %d, %s%s", test.args, code, out, complaints)
		}
	}
}

func TestSandboxSaysHowToUsePayments(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	s := &served{URL: "http://127.0.0.1:8700", Divisions: []int{123456}, Payments: servedPay{
		Credentials: pay.Credentials{Email: "a@b.example", Password: "hush", Application: "app", Organization: "0a", Accounts: []string{"1b", "2c"}},
		Control:     "http://127.0.0.1:8700/_sandbox/pay/",
	}}
	if err := s.print(&out); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"e-mail         a@b.example\npassword       hush ", "accounts       1b 2c\n",
		"    type: exactpay\n    base_url: http://127.0.0.1:8700\n    application: app\n    organization: 0a\n",
		"curl -X POST 'http://127.0.0.1:8700/_sandbox/pay/change?resource=payments&insert=3&settle=5'\n", "\nCtrl-C stops both.\n",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("it does not say %q:\n%s", want, &out)
		}
	}
	_, help, _ := typed(t.Context(), "", "sandbox", "--help")
	for _, want := range []string{"unstable_ties", "pay.filters=ignored", "--accounts NUMBER", "clear_faults", "500 cast"} {
		if !strings.Contains(help, want) {
			t.Errorf("the help does not tell %q", want)
		}
	}
}
