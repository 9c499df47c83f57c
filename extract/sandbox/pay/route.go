package pay

import (
	"net/http"
	"regexp"
	"strings"

	"exactduck/extract/sandbox/internal/wire"
)

// route is a request that there is an answer to.
type route struct {
	method, path string
	manners      manners // how it refuses
	permission   string  // that it takes; "": none, but a token
	open         bool    // whoever asks is answered
	do           func(s *Sandbox, v *visit) *wire.Reply
}

// routes are all of them. A word in braces stands for any.
var routes []route

func init() {
	get, charges := http.MethodGet, "charges.read"
	routes = []route{
		{get, "/status", plainly, "", true, func(*Sandbox, *visit) *wire.Reply { return jsonReply(http.StatusOK, object{"status": "OK"}) }},
		{get, "/mcc", plainly, "", true, func(_ *Sandbox, v *visit) *wire.Reply { return v.whole(rowsFrom(codes)) }},
		{http.MethodPost, "/token", plainly, "", true, (*Sandbox).login},
		{http.MethodPost, "/application/{application}/token", plainly, "application-tokens.create", false, (*Sandbox).makeToken},
		{http.MethodPost, "/application/{application}/organization/{organization}/token", plainly, "application-tokens.create", false, (*Sandbox).makeToken},
		{http.MethodPost, "/application/{application}/account/{account}/token", plainly, "application-tokens.create", false, (*Sandbox).makeToken},
		{get, "/application/{application}/token", plainly, "application-tokens.read", false, (*Sandbox).listTokens},
		{http.MethodDelete, "/application/{application}/token/{token}", plainly, "application-tokens.delete", false, (*Sandbox).deleteToken},
		{get, "/organization/{organization}/account", plainly, "accounts.read", false, (*Sandbox).listAccounts},
		{get, "/organization/{organization}/account/search", plainly, "accounts.read", false, (*Sandbox).searchAccounts},
		{get, "/organization/{organization}/account/{account}", plainly, "accounts.read", false, (*Sandbox).showAccount},
		{get, "/organization/{organization}/onboarding", boarding, "onboardings.read", false, (*Sandbox).listApplicants},
		{get, "/organization/{organization}/onboarding/{id}", boarding, "onboardings.read", false, (*Sandbox).showApplicant},
		{get, "/onboarding", boarding, "onboardings.read", false, (*Sandbox).listApplicants},
		{get, "/orders", ordering, charges, false, (*Sandbox).listOrders},
		{get, "/account/{account}/orders/{order}", ordering, charges, false, (*Sandbox).showOrder},
	}
	for _, own := range []string{"", "/account/{account}"} {
		routes = append(routes, []route{
			{get, own + "/payments", paying, charges, false, (*Sandbox).listPayments},
			{get, own + "/payments/{id}", paying, charges, false, (*Sandbox).showPayment},
			{get, own + "/customer", customary, "customers.read", false, (*Sandbox).listCustomers},
			{get, own + "/customer/{id}", customary, "customers.read", false, (*Sandbox).showCustomer},
			{get, own + "/customer/{id}/payments", customary, "customers.read", false, (*Sandbox).listPaid},
			{get, own + "/customer/{id}/payment-method", customary, "customers.read", false, (*Sandbox).listMethods},
		}...)
	}
}

// roots are what paths begin with.
func roots() map[string]bool {
	set := map[string]bool{}
	for _, r := range routes {
		set[strings.Split(r.path, "/")[1]] = true
	}
	return set
}

// match says whether a path is that of the route, and what its braces stand for.
func (r *route) match(method, path string) (map[string]string, bool) {
	want, have := strings.Split(r.path, "/"), strings.Split(path, "/")
	if r.method != method || len(want) != len(have) {
		return nil, false
	}
	params := map[string]string{}
	for i, word := range want {
		switch name, isParam := strings.CutPrefix(word, "{"); {
		case isParam && have[i] != "":
			params[strings.TrimSuffix(name, "}")] = have[i]
		case word != have[i]:
			return nil, false
		}
	}
	return params, true
}

// visit is a request on its way to an answer.
type visit struct {
	*route
	sandbox   *Sandbox
	request   *http.Request
	body      []byte
	params    map[string]string
	token     *token
	requestID string
	entire    bool // of a list for which no paging is documented
}

// carryOut answers a request, by the rules of its path.
func (s *Sandbox) carryOut(r *http.Request, body []byte) *wire.Reply {
	v := s.visit(r, body)
	if refused := s.admit(v); refused != nil {
		return refused
	}
	return v.do(s, v)
}

// visit finds the route of a request.
func (s *Sandbox) visit(r *http.Request, body []byte) *visit {
	v := &visit{route: &unknown, sandbox: s, request: r, body: body, requestID: newDice(s.world.seed, "request", s.asked).uuid()}
	for i := range routes {
		if params, ok := routes[i].match(r.Method, r.URL.Path); ok {
			v.route, v.params = &routes[i], params
			break
		}
	}
	return v
}

// unknown is the route of what there is no answer to.
var unknown = route{open: true, do: func(_ *Sandbox, v *visit) *wire.Reply { return v.plain(http.StatusNotFound) }}

// admit refuses whoever may not ask.
func (s *Sandbox) admit(v *visit) *wire.Reply {
	if v.open {
		return nil
	}
	if v.token = s.known(v.request.Header.Get("Authorization")); v.token == nil {
		return v.stranger()
	}
	if over := s.limit(v.token); over != nil {
		return over
	}
	if !s.may(v.token, v.permission) {
		return v.lacking()
	}
	return s.locate(v)
}

var objectID = regexp.MustCompile(`^[0-9a-f]{24}$`)

// locate refuses paths that lead nowhere, or where the token does not reach.
func (s *Sandbox) locate(v *visit) *wire.Reply {
	for _, name := range []string{"organization", "account", "id"} {
		if id, given := v.params[name]; given && !objectID.MatchString(id) {
			return v.castError(id)
		}
	}
	if name, given := v.params["application"]; given && name != s.world.application {
		return v.plain(http.StatusNotFound)
	}
	if id, given := v.params["organization"]; given && id != s.world.organization {
		return v.nowhere("Account not found")
	} else if given && v.token.Account != id {
		return v.foreign()
	}
	return s.enter(v)
}

// enter refuses accounts that there are not, or that the token does not reach.
func (s *Sandbox) enter(v *visit) *wire.Reply {
	id, given := v.params["account"]
	if !given {
		if v.partnerless() {
			return v.foreign()
		}
		return nil
	}
	a, err := s.world.account(id)
	switch {
	case err != nil:
		return v.nowhere("No account found.")
	case !s.covers(v.token, id), a.isDisabled() && s.switches.DisabledRefused && v.permission != "accounts.read":
		return v.foreign()
	}
	return nil
}

// partnerless says whether an organization asks where only an account may.
func (v *visit) partnerless() bool {
	return v.sandbox.switches.Partner == "refused" && v.token.Account == v.sandbox.world.organization && !strings.Contains(v.path, "{organization}") &&
		(v.permission == "charges.read" || v.permission == "customers.read")
}

// accounts are those that a visit is to: the one in its path, or those that the token reaches.
func (s *Sandbox) accountsOf(v *visit) []*account {
	if id, given := v.params["account"]; given {
		a, _ := s.world.account(id) // it is there: the visit got in
		return []*account{a}
	}
	var reached []*account
	for _, a := range s.world.accounts {
		refused := a.isDisabled() && s.switches.DisabledRefused
		if s.covers(v.token, a.id) && !refused && (s.switches.Partner != "none" || v.token.Account == a.id) {
			reached = append(reached, a)
		}
	}
	return reached
}
