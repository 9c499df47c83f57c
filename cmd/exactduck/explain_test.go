package main

import (
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"exactduck/auth"
	"exactduck/extract"
	"exactduck/extract/exactonline"
)

// said is an answer that the service gives to everything.
type said struct {
	status       int
	reason, body string
}

func (s said) RoundTrip(r *http.Request) (*http.Response, error) {
	header := http.Header{"Content-Type": {"application/json"}}
	if s.reason != "" {
		header.Set("Reason", s.reason+": "+s.reason)
	}
	return &http.Response{
		StatusCode: s.status, Header: header, Body: io.NopCloser(strings.NewReader(s.body)), Request: r, ProtoMajor: 1,
	}, nil
}

func refusal(words string) string {
	return `{"error":{"code":"","message":{"lang":"","value":"` + words + `"}}}`
}

// TestAnswersOfTheAPI takes every text of the API that anybody has published through a call, and
// looks at what the person is told and at the exit code.
func TestAnswersOfTheAPI(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		said
		code int
		want string
	}{
		"scope":            {said{403, "", refusal("Forbidden - Application Scope Violated. Cannot read 'organization.administration' scope.")}, exitPartial, "lacks the scope organization.administration"},
		"module or right":  {said{403, "", refusal("Forbidden")}, exitPartial, "lacks the scope crm.accounts"},
		"BlockedUser":      {said{403, "BlockedUser", ""}, exitPartial, "blocked the user"},
		"InactiveUser":     {said{403, "InactiveUser", ""}, exitPartial, "not active"},
		"BlockedCustomer":  {said{403, "BlockedCustomer", ""}, exitPartial, "blocked the customer"},
		"LicenseExpired":   {said{403, "LicenseExpired", ""}, exitPartial, "licence at Exact has expired"},
		"DivisionBlocked":  {said{403, "DivisionBlocked", ""}, exitPartial, "administration is blocked"},
		"NoDivisionAccess": {said{403, "NoDivisionAccess", ""}, exitPartial, "may not open this administration"},
		"select":           {said{400, "", refusal("Please add a $select or a $top=1 statement to the query string.")}, exitPartial, "too wide"},
		"mandatory filter": {said{400, "", refusal("This endpoint has mandatory filtering applied. A GET request for this endpoint must have a $filter parameter with one of the following fields in the url:ID,Modified")}, exitPartial, "mandatory filtering"},
		"filter":           {said{400, "", refusal("This $filter parameter is not supported for this resource")}, exitPartial, "does not take the filter"},
		"filter fields":    {said{400, "", refusal("Filtering on these fields is not supported: Classification")}, exitPartial, "does not take the filter"},
		"property":         {said{400, "", refusal("Type X does not have a property named Y")}, exitPartial, "column"},
		"other language":   {said{400, "", refusal("Niet herkende GUID-indeling")}, exitPartial, "only in words"},
		"address":          {said{404, "", ""}, exitPartial, "does not know this address"},
		"login":            {said{401, "AuthenticationRequired", ""}, exitLogin, "access token"},
		"throttled":        {said{429, "", ""}, exitSource, "another program"},
		"internal":         {said{500, "", refusal("A problem has occurred. The cause of this issue will be investigated as soon as possible.")}, exitSource, "internal error"},
		"gateway":          {said{500, "", "Failed to execute the ExtractVariables: ExtractAccessToken"}, exitSource, "gateway"},
		"maintenance":      {said{503, "", "<html>"}, exitSource, "run again later"},
		"empty":            {said{200, "", ""}, exitSource, "run again later"},
	} {
		clock := &clock{now: time.Date(2026, 6, 30, 12, 0, 0, 0, time.UTC)}
		source, err := exactonline.New(exactonline.Config{
			BaseURL: "https://start.exactonline.nl", Client: &http.Client{Transport: c.said}, Clock: clock.time, Wait: clock.wait, Division: "1",
		})
		if err != nil {
			t.Fatal(err)
		}
		stream, _, err := exactonline.Lookup("crm/Accounts")
		if err != nil {
			t.Fatal(err)
		}
		v := stream.Variants[0]
		for _, err = range source.Pages(t.Context(), extract.Read{Stream: stream.Name, Variant: v, Scope: "1"}) {
			break
		}
		if exitCode(err) != c.code || !strings.Contains(hint(err), c.want) {
			t.Errorf("%s: exit code %d, want %d; hint %q, want %q; %v", name, exitCode(err), c.code, hint(err), c.want, err)
		}
	}
}

// TestAnswersOfTheTokenServer does the same with the texts of the token server, answered to a
// refresh that is due.
func TestAnswersOfTheTokenServer(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		said
		code           int
		explained, act string
	}{
		"used before": {said{401, "", `{"error":"invalid_grant","error_description":"Old refresh token used."}`}, exitLogin, "already been used", "app registration of its own"},
		"chain":       {said{400, "", `{"error":"invalid_grant","error_description":"Token is not allowed, because of invalid or empty chainId"}`}, exitLogin, "logged in to the same app elsewhere", "app registration of its own"},
		"signed data": {said{400, "", `{"error":"invalid_request","error_description":"Signed data extraction has failed"}`}, exitLogin, "could not read what it was sent", "auth login"},
		"lapsed":      {said{400, "", `{"error":"invalid_request","error_description":"The refresh token expired at 10/11/2022 9:18:20 PM and it is now 10/28/2022 4:15:50 PM."}`}, exitLogin, "not used for 30 days", "auth login"},
		"bare":        {said{400, "", `{"error":"invalid_request"}`}, exitLogin, "without saying why", "check client_id"},
		"client":      {said{400, "", `{"error":"invalid_client"}`}, exitUsage, "does not accept the client id", "another region"},
		"redirect":    {said{400, "", `{"error":"invalid_request","error_description":"redirect_uri does not match"}`}, exitUsage, "redirect URL", "to the letter"},
		"too early":   {said{400, "TooEarlyToRefreshTokens", `{"error":"access_denied","error_description":"Rate limit exceeded: access_token not expired"}`}, 0, "", ""},
		"gateway":     {said{500, "", "Failed to execute the ExtractVariables: ExtractAccessToken"}, exitSource, "500", "the login is kept"},
		"empty":       {said{200, "", ""}, exitSource, "without a token", "the login is kept"},
		"cut":         {said{200, "", `{"access_token":`}, exitSource, "without a token", "the login is kept"},
	} {
		err := refresh(t, c.said)
		if exitCode(err) != c.code {
			t.Errorf("%s: exit code %d, want %d: %v", name, exitCode(err), c.code, err)
		}
		if err != nil && (!strings.Contains(err.Error(), c.explained) || !strings.Contains(hint(err), c.act)) {
			t.Errorf("%s: %v; hint %q", name, err, hint(err))
		}
	}
}

// refresh renews a login that is due at a token server that always says the same.
func refresh(t *testing.T, s said) error {
	t.Helper()
	now := time.Date(2026, 6, 30, 12, 0, 0, 0, time.UTC)
	app := auth.App{Host: "https://start.exactonline.nl", ClientID: "app", ClientSecret: "secret", RedirectURL: "https://localhost:8585/callback"}
	store := auth.NewFile(t.TempDir(), app.Host, app.ClientID, nil)
	before := now.Add(-10 * time.Minute)
	err := store.Locked(t.Context(), func(slot auth.Slot) error {
		return slot.Save(auth.State{Host: app.Host, ClientID: app.ClientID, LoggedInAt: before, Now: &auth.Token{
			Access: "access", Refresh: "refresh", AskedAt: before, ObtainedAt: before, Life: 10 * time.Minute,
		}})
	})
	if err != nil {
		t.Fatal(err)
	}
	transport, err := auth.New(auth.Options{
		App: app, Store: store, Base: s, Clock: func() time.Time { return now }, RetryWait: time.Nanosecond,
	})
	if err != nil {
		t.Fatal(err)
	}
	return transport.Fresh(context.WithoutCancel(t.Context()))
}
