package auth

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// outcome sorts what a token call can end in by what has to be done about it.
type outcome uint8

const (
	granted     outcome = iota // a new pair
	tooEarly                   // the old pair is still good
	notSent                    // nothing left this machine: the same call may be made again
	unavailable                // the server is in trouble; whether it acted is unknown
	lost                       // sent, and no usable answer: the server may have acted
	declined                   // not carried out, and trying again at once would not help
	refused                    // a plain no; cause says why
)

// answer is one token call's result.
type answer struct {
	outcome outcome
	cause   Cause
	problem string // for people: "answered HTTP 503"
	detail  string // the server's words, scrubbed
	err     error
	status  int
	token   *Token // when granted; Refresh is empty when the answer held none
	whole   bool   // the answer was complete JSON
}

// tokenCallLimit bounds one token call. It is long because giving up on an answer that is
// under way may cost the login.
const tokenCallLimit = 2 * time.Minute

// call posts one form to the token server and sorts the answer. It is not cancelled with ctx:
// a request that was sent is waited for.
func (t *Transport) call(ctx context.Context, form url.Values) answer {
	secrets := []Secret{t.app.ClientSecret, Secret(form.Get("refresh_token")), Secret(form.Get("code"))}
	form.Set("client_id", t.app.ClientID)
	form.Set("client_secret", string(t.app.ClientSecret))

	sending, cancel := context.WithTimeout(context.WithoutCancel(ctx), tokenCallLimit)
	defer cancel()
	req, err := http.NewRequestWithContext(sending, http.MethodPost, t.app.endpoint(tokenPath), strings.NewReader(form.Encode()))
	if err != nil {
		return answer{outcome: notSent, problem: "cannot be asked", err: errors.New("bad address")}
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Accept", "application/json")

	asked := t.clock()
	t.log.DebugContext(ctx, "sending token call", "host", t.app.Host, "grant", form.Get("grant_type"))
	resp, err := t.base.RoundTrip(req)
	if err != nil {
		a := unsent(err)
		t.log.DebugContext(ctx, "token call failed", "host", t.app.Host, "problem", a.problem)
		return a
	}
	raw, readErr := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	_ = resp.Body.Close()
	a := sortAnswer(resp, raw, readErr, secrets)
	if a.token != nil {
		a.token.AskedAt, a.token.ObtainedAt, a.token.By = asked.UTC(), t.clock().UTC(), t.self
	}
	t.log.DebugContext(ctx, "token call answered", "host", t.app.Host, "status", resp.StatusCode)
	return a
}

// unsent sorts an error of the connection: without a connection nothing was sent.
func unsent(err error) answer {
	var dial *net.OpError
	var name *net.DNSError
	var certificate *tls.CertificateVerificationError
	switch {
	case errors.As(err, &name), errors.As(err, &certificate),
		errors.As(err, &dial) && (dial.Op == "dial" || dial.Op == "proxyconnect"):
		return answer{outcome: notSent, problem: "cannot be reached", err: err}
	case errors.Is(err, context.DeadlineExceeded):
		return answer{outcome: lost, problem: "did not answer in " + tokenCallLimit.String()}
	}
	return answer{outcome: lost, problem: "broke the connection", err: err}
}

// sortAnswer decides what an answer means. Text that names a refusal counts whatever the status:
// the gateway and the server behind it do not agree on one.
func sortAnswer(resp *http.Response, raw []byte, readErr error, secrets []Secret) answer {
	status := "answered HTTP " + strconv.Itoa(resp.StatusCode)
	a := answer{status: resp.StatusCode, problem: status}
	if resp.StatusCode/100 == 2 {
		a.token, a.whole = salvage(raw)
		a.whole = a.whole && readErr == nil
		if a.token != nil {
			a.outcome = granted
			return a
		}
	}
	code, words := refusal(resp, raw)
	if o, cause := knownRefusal(code, words); o != granted {
		a.outcome, a.cause, a.detail = o, cause, scrub(words, secrets...)
		return a
	}
	switch {
	case resp.StatusCode/100 == 2:
		a.outcome, a.problem = lost, status+" without a token"
		if readErr != nil {
			a.problem = status + " and broke off"
		}
	case resp.StatusCode >= 500, resp.StatusCode == http.StatusRequestTimeout:
		a.outcome = unavailable
	case resp.StatusCode == http.StatusTooManyRequests:
		a.outcome, a.problem = declined, status+": too many token calls"
	case resp.StatusCode == http.StatusBadRequest, resp.StatusCode == http.StatusUnauthorized, resp.StatusCode == http.StatusForbidden:
		a.outcome, a.cause = refused, Unclear
		a.detail = scrub(strings.TrimSpace(status[len("answered "):]+" "+code+" "+words), secrets...)
	default:
		a.outcome, a.problem = declined, status+": is this the right host?"
	}
	return a
}

// refusal reads the error of an answer, in whatever form it came.
func refusal(resp *http.Response, raw []byte) (code, words string) {
	var body struct {
		Error       string `json:"error"`
		Description string `json:"error_description"`
	}
	if json.Unmarshal(raw, &body) != nil {
		body.Error, body.Description = "", ""
		if !strings.Contains(strings.ToLower(resp.Header.Get("Content-Type")), "html") {
			body.Description = string(raw)
		}
	}
	if body.Description == "" {
		_, body.Description, _ = strings.Cut(resp.Header.Get("Reason"), ": ")
	}
	return body.Error, body.Description
}

// knownRefusal recognises the texts that the server is known to answer with; granted means that
// this is none of them.
func knownRefusal(code, words string) (outcome, Cause) {
	words = strings.ToLower(words)
	has := func(part string) bool { return strings.Contains(words, part) }
	switch {
	case has("not expired"), has("tooearlytorefresh"):
		return tooEarly, ""
	case has("old refresh token"):
		return refused, Reused
	case has("refresh token expired"):
		return refused, Expired
	case has("chainid"):
		return refused, BrokenChain
	case has("signed data extraction"):
		return refused, Mangled
	case has("redirect_uri"), has("redirect uri"):
		return refused, WrongRedirect
	case code == "invalid_client", code == "unauthorized_client":
		return refused, WrongClient
	}
	return granted, ""
}

// defaultLife is how long an access token lives when the answer does not say so legibly.
const defaultLife = 10 * time.Minute

// damaged finds a token in an answer that is no JSON as a whole.
var damaged = map[string]*regexp.Regexp{
	"access_token":  regexp.MustCompile(`"access_token"\s*:\s*("(?:[^"\\]|\\.)*")`),
	"refresh_token": regexp.MustCompile(`"refresh_token"\s*:\s*("(?:[^"\\]|\\.)*")`),
}

// salvage takes whatever tokens an answer holds, however mangled the rest is: the refresh token
// in it is the only one that works from now on. It returns nil when there are none; whole tells
// whether the answer was complete.
func salvage(raw []byte) (token *Token, whole bool) {
	var fields map[string]json.RawMessage
	whole = json.Unmarshal(raw, &fields) == nil
	if !whole {
		fields = map[string]json.RawMessage{}
		for name, pattern := range damaged {
			if found := pattern.FindSubmatch(raw); found != nil {
				fields[name] = found[1]
			}
		}
	}
	token = &Token{
		Access: legible(fields["access_token"]), Refresh: legible(fields["refresh_token"]),
		Life: life(fields["expires_in"]),
	}
	if token.Access == "" && token.Refresh == "" {
		return nil, whole
	}
	return token, whole
}

// legible returns a token that can be sent in a header; "" for anything else.
func legible(raw json.RawMessage) Secret {
	var text string
	if json.Unmarshal(raw, &text) != nil {
		return ""
	}
	if strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return ""
	}
	return Secret(text)
}

// life reads expires_in, which comes as a string of digits and should be a number.
func life(raw json.RawMessage) time.Duration {
	seconds, err := strconv.ParseFloat(strings.Trim(string(raw), `"`), 64)
	if err != nil || !(seconds >= 1 && seconds <= 1e6) {
		return defaultLife
	}
	return time.Duration(seconds) * time.Second
}
