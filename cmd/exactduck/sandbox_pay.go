package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"math"
	"net/http"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"exactduck/extract/sandbox"
	"exactduck/extract/sandbox/pay"
)

// simulated is a simulated Exact Online and a simulated Exact Payments at one address. Nothing that
// one of them answers to begins as what the other does.
type simulated struct {
	exact *sandbox.Sandbox
	pay   *pay.Sandbox
}

// newSimulated starts both. The customers of the first company have paid its invoices through the
// first merchant.
func newSimulated(o sandbox.Options, p pay.Options) (*simulated, error) {
	exact, err := sandbox.New(o)
	if err != nil {
		return nil, &stateError{o.StateFile, err}
	}
	if o.Scale <= manyInvoices {
		p.Invoices = func() []pay.Invoice { return invoicesOf(exact.Walk(0, "salesinvoice/SalesInvoices")) }
	}
	p.StateFile = payState(o.StateFile)
	paid, err := pay.New(p)
	if err != nil {
		return nil, errors.Join(&stateError{p.StateFile, err}, exact.Close())
	}
	return &simulated{exact, paid}, nil
}

// manyInvoices is the scale from which on it would take too long to look at all of them.
const manyInvoices = 10

// payState is where Exact Payments keeps what happens, beside the state of Exact Online.
func payState(path string) string {
	if path == "" {
		return ""
	}
	end := filepath.Ext(path)
	return strings.TrimSuffix(path, end) + ".pay" + end
}

func (s *simulated) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if pay.Serves(r.URL.Path) {
		s.pay.ServeHTTP(w, r)
		return
	}
	s.exact.ServeHTTP(w, r)
}

// Close lets go of the state files.
func (s *simulated) Close() error { return errors.Join(s.exact.Close(), s.pay.Close()) }

// invoicesOf are what a company has sent to its customers.
func invoicesOf(rows iter.Seq[map[string]any]) []pay.Invoice {
	var list []pay.Invoice
	for r := range rows {
		number, _ := r["InvoiceNumber"].(int64)
		text, _ := r["AmountDC"].(json.Number)
		amount, err := text.Float64()
		date, dated := r["InvoiceDate"].(time.Time)
		if err != nil || amount <= 0 || !dated {
			continue // a credit note is not paid
		}
		currency, _ := r["Currency"].(string)
		customer, _ := r["InvoiceToName"].(string)
		list = append(list, pay.Invoice{
			Number: strconv.FormatInt(number, 10), Amount: int64(math.Round(amount * 100)), Currency: currency, Date: date, Customer: customer,
		})
	}
	return list
}

// payOptions are those of Exact Payments, as far as the flags say something of it.
func (k *call) payOptions(o sandbox.Options) (p pay.Options, err error) {
	p = pay.Options{Seed: o.Seed, Scale: o.Scale, Accounts: k.Int("accounts"), Clock: k.clock, Log: k.log}
	if p.Accounts < 1 {
		return p, &usageError{"--accounts must be at least 1", "leave it out for 2"}
	}
	if kept := payState(o.StateFile); k.IsSet("accounts") && fileHolds(kept) {
		return p, &usageError{kept + " holds accounts already, which --accounts cannot change", "leave --accounts out, or name another file with --state"}
	}
	for _, text := range k.StringSlice("set") {
		name, value, _ := strings.Cut(text, "=")
		if name, ok := strings.CutPrefix(name, paySwitch); ok {
			if err := p.Set(name, value); err != nil {
				return p, &usageError{fmt.Sprintf("--set %s: %v", text, err), "write it like --set pay.filters=ignored"}
			}
		}
	}
	return p, nil
}

// paySwitch is what the switches of Exact Payments begin with on the command line.
const paySwitch = "pay."

// servedPay is where a simulated Exact Payments is and how to log in to it.
type servedPay struct {
	pay.Credentials
	StateFile string `json:"state_file,omitempty"`
	Control   string `json:"control_url"`
}

func (s *servedPay) print(out io.Writer, url string) error {
	_, err := fmt.Fprintf(out, `
A simulated Exact Payments listens there too. What "exactduck auth login" asks for:

e-mail         %[2]s
password       %[3]s   (opens nothing but this sandbox)
accounts       %[4]s

Below connections:

  payments:
    type: exactpay
    base_url: %[1]s
    application: %[5]s
    organization: %[6]s

To let payments be made and settled:

  curl -X POST '%[7]schange?resource=payments&insert=3&settle=5'
  curl %[7]scalls
`, url, s.Email, s.Password, strings.Join(s.Accounts, " "), s.Application, s.Organization, s.Control)
	return err
}
