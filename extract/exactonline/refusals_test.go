package exactonline

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"exactduck/extract"
)

// Every refusal that anybody has published is explained, whatever language its words are in where
// there is a Reason.
func TestRefusalsAreExplained(t *testing.T) {
	for _, c := range []struct {
		status                          int
		endpoint, reason, message, want string
	}{
		{403, "crm/Accounts", "BlockedUser", "Verboden", "blocked the user"},
		{403, "crm/Accounts", "inactiveuser", "Verboden", "not active"},
		{403, "crm/Accounts", "BlockedCustomer", "", "blocked the customer"},
		{403, "crm/Accounts", "LicenseExpired", "", "licence at Exact has expired"},
		{403, "crm/Accounts", "DivisionBlocked", "", "administration is blocked"},
		{403, "crm/Accounts", "NoDivisionAccess", "Forbidden", "may not open this administration"},
		{403, "webhooks/WebhookSubscriptions", "Forbidden", "Forbidden - Application Scope Violated. Cannot read 'organization.administration' scope.", "lacks the scope organization.administration"},
		{403, "sync/CRM/Accounts", "", "Forbidden", "lacks the scope crm.accounts"},
		{403, "nobody/Knows", "", "Forbidden", "which one is not documented"},
		{400, "financial/GLAccounts", "", "Please add a $select or a $top=1 statement to the query string.", "too wide"},
		{400, "logistics/Items", "", "This endpoint has mandatory filtering applied. A GET request for this endpoint must have a $filter parameter with one of the following fields in the url:Accountant,Created,ID,Modified", "mandatory filtering"},
		{400, "logistics/SupplierItem", "", "This $filter parameter is not supported for this resource", "does not take the filter"},
		{400, "crm/Accounts", "", "Filtering on these fields is not supported: Classification", "does not take the filter"},
		{400, "crm/Accounts", "", "Type X does not have a property named Y", "column"},
		{400, "crm/Accounts", "", "Niet herkende GUID-indeling", "only in words"},
		{404, "crm/Accounts", "", "Resource not found", "does not know this address"},
		{401, "crm/Accounts", "AuthenticationRequired", "Unauthorized - Authentication required", "access token"},
	} {
		err := fmt.Errorf("sync: %w", &extract.Refused{Endpoint: c.endpoint, Status: c.status, Reason: c.reason, Message: c.message})
		got, ok := Explain(err)
		if !ok || !strings.Contains(got.Means, c.want) || got.Do == "" {
			t.Errorf("%d %s %q: %+v, want %q", c.status, c.reason, c.message, got, c.want)
		}
	}
	for words, want := range map[string]string{
		"500 Internal Server Error: Failed to execute the ExtractVariables: ExtractAccessToken": "gateway",
		"429 too many requests": "another program",
		`500 Internal Server Error: {"error":{"message":{"value":"A problem has occurred. The cause of this issue will be investigated as soon as possible."}}}`: "internal error",
	} {
		got, ok := Explain(&extract.Unreachable{Err: errors.New(words)})
		if !ok || !strings.Contains(got.Means, want) {
			t.Errorf("%s: %+v", words, got)
		}
	}
	for _, err := range []error{errors.New("no such host"), &extract.Unreachable{Err: errors.New("connection reset")}, &extract.Refused{Status: 418}} {
		if got, ok := Explain(err); ok {
			t.Errorf("%v: %+v", err, got)
		}
	}
}

func TestEndpointsAreFoundByTheirVariants(t *testing.T) {
	for _, e := range Endpoints() {
		if got := endpointNamed(variantName(e)); got != e {
			t.Errorf("%s: found %v", e.Path, got)
		}
	}
	if got := endpointNamed("crm/NewThings"); got != nil {
		t.Errorf("found %v", got)
	}
}
