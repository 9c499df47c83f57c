package exactpay

import (
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"

	"exactduck/extract"
)

// Manners are those of Exact Payments. It documents no limits on calls: these are a guess at what
// nobody minds.
func Manners() extract.Manners {
	return extract.Manners{
		Refusal: refusal, AnySuccess: true, Final: isCastError, Failures: 2, RetryAfter: true, Strike: strikes,
		PerMinute: 300, Concurrent: 4,
	}
}

// complaint is an error in any of the forms that are documented.
type complaint struct {
	Type, Code, Message, RequestID string
	Messages                       []json.RawMessage
	Issues                         []issue
	PathIssues                     json.RawMessage // a list of issues, or lists of them by the path of what is wrong
}

// issue is one thing that is wrong with a request.
type issue struct {
	Type, Code, Field, Message string
	Path                       []any
	Details                    []string
}

// refusal finds the code and the words of an error. What a client had sent is not repeated, nor is
// anything that could be a token.
func refusal(a *extract.Answer) (reason, message string) {
	var c complaint
	words := ""
	err := json.Unmarshal(a.Body, &c)
	if _, odd := errors.AsType[*json.UnmarshalTypeError](err); err == nil || odd { // what is like it is there
		words = c.words()
	} else if kind := a.Header.Get("Content-Type"); !strings.Contains(kind, "json") {
		words = string(a.Body[:min(len(a.Body), 300)])
	}
	if words == "" && c.Code == "" {
		words = http.StatusText(a.Status)
	}
	if id := firstOf(c.RequestID, a.Header.Get("X-Request-Id"), a.Header.Get("Request-Id")); id != "" {
		words += " (request " + id + ")"
	}
	return extract.Line(hush(firstOf(c.Code, c.Type))), extract.Line(hush(words))
}

func firstOf(texts ...string) string {
	for _, t := range texts {
		if t != "" {
			return t
		}
	}
	return ""
}

func (c *complaint) words() string {
	var all []string
	if c.Message != "" {
		all = append(all, c.Message)
	}
	for _, m := range c.Messages {
		all = append(all, phrase(m))
	}
	for _, i := range append(c.Issues, issuesIn(c.PathIssues)...) {
		all = append(all, i.words())
	}
	return strings.Join(all, "; ")
}

// issuesIn reads issues in either of the forms that they have beside a path.
func issuesIn(raw json.RawMessage) (all []issue) {
	var byPath map[string][]issue
	if json.Unmarshal(raw, &byPath) != nil {
		_ = json.Unmarshal(raw, &all) // in a third form there are none
		return all
	}
	for _, path := range slices.Sorted(maps.Keys(byPath)) {
		for _, i := range byPath[path] {
			i.Field = path
			all = append(all, i)
		}
	}
	return all
}

func (i issue) words() string {
	var at []string
	for _, step := range i.Path {
		at = append(at, fmt.Sprint(step))
	}
	what := firstOf(i.Message, strings.Join(i.Details, ", "), i.Code, i.Type)
	return strings.TrimSpace(firstOf(i.Field, strings.Join(at, ".")) + " " + what)
}

// phrase is a message, which may be a text or an object with one.
func phrase(m json.RawMessage) string {
	var text string
	var object struct{ Message string }
	if json.Unmarshal(m, &text) == nil {
		return text
	}
	if json.Unmarshal(m, &object) == nil {
		return object.Message
	}
	return ""
}

// secret is what looks like a token: longer than any name or number that the vendor gives.
var secret = regexp.MustCompile(`[A-Za-z0-9_\-./+=]{40,}`)

func hush(text string) string { return secret.ReplaceAllString(text, "…") }

// isCastError tells the failure over a malformed name, which will be the same next time, from others.
func isCastError(a *extract.Answer) bool {
	_, message := refusal(a)
	return a.Status == http.StatusInternalServerError && strings.Contains(message, "CastError")
}

// strikes tells answers that are errors of their list. That a customer has stored no cards is none, nor
// that a way of asking is not understood: it is left after the first time. Nor is what is wrong with the
// token: a new one is not to wait until the hour is over.
func strikes(endpoint string, status int) bool {
	if e := named(endpoint); e != nil && e.Each != "" && status == http.StatusNotFound {
		return false
	}
	switch status {
	case http.StatusBadRequest, http.StatusUnprocessableEntity, http.StatusRequestTimeout, http.StatusTooManyRequests,
		http.StatusUnauthorized, http.StatusForbidden:
		return false
	}
	return status >= 400 && status < 500
}

func named(variant string) *Endpoint {
	for _, e := range Endpoints() {
		if Service+"/"+e.Name == variant {
			return e
		}
	}
	return nil
}

// reach is how far a 403 goes. The list of accounts is what runs begin with: it is asked every time. One
// that may be about the token says nothing of the list, and so does not outlast the token's trouble.
func (s *Source) reach(r *extract.Refused) extract.Reach {
	switch {
	case r.Endpoint == accountsList || s.doubtful(r):
		return extract.ForOnce
	case r.Scope != connection && isAccountUnknown(r):
		return extract.ForScope
	}
	return extract.ForEndpoint
}

// forbiddenCode is how the codes of refusals for want of a permission end.
const forbiddenCode = "-forbidden-error"

func isAccountUnknown(r *extract.Refused) bool {
	return strings.Contains(strings.ToLower(r.Message), "account not found")
}

//go:embed refusals.txt
var refusalsText string

var meanings = sync.OnceValue(func() *extract.Meanings {
	m := extract.ParseMeanings(refusalsText)
	m.Same = strings.HasSuffix
	m.Blank, m.Fill = "{permission}", func(endpoint, _ string) string { return permissionFor(endpoint) }
	return m
})

// Explain finds what is known of the answer that an error is about, an *[extract.Refused] or an
// *[extract.Unreachable] in its tree; false: nothing is.
func Explain(err error) (extract.Explanation, bool) { return meanings().Explain(err) }

// permissionFor is what a list is documented or believed to need.
func permissionFor(endpoint string) string {
	e := named(endpoint)
	if e == nil || e.Permission == "-" {
		return "which one is not documented"
	}
	if sure, ok := strings.CutSuffix(e.Permission, "?"); ok {
		return "probably " + sure
	}
	return e.Permission
}
