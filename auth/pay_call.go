package auth

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"
)

// session is a user of Exact Payments who has logged in, for the length of one command. With a token
// and no user it is that of an application.
type session struct {
	*payer
	email    string
	password Secret

	token     Secret
	expires   time.Time // zero: it does not
	permitted []string  // what the user may do; nil: not told
	home      string    // the organization or account that the user belongs to; "": not told
}

// grant is the token that an answer brings.
type grant struct {
	ID          string   `json:"id"`
	Token       string   `json:"token"`
	ExpiresAt   string   `json:"expiresAt"`
	Permissions []string `json:"allowedPermissions"`
	Account     string   `json:"account"`
	Mode        string   `json:"mode"`
}

// PayPermit is an application token as the vendor lists it.
type PayPermit struct {
	ID          string   `json:"id"`
	Label       string   `json:"label"`
	Permissions []string `json:"allowedPermissions"`
	CreatedAt   string   `json:"createdAt"`
}

// begin logs in, or once more when the token has expired.
func (s *session) begin(ctx context.Context) error {
	if s.email == "" || s.token != "" && (s.expires.IsZero() || s.Clock().Before(s.expires)) {
		return nil
	}
	asked := map[string]string{"email": s.email, "password": string(s.password), "application": s.App.Application}
	a, err := s.send(ctx, http.MethodPost, "/token", "", asked)
	if err != nil {
		return err
	}
	switch a.status {
	case http.StatusUnauthorized:
		return s.no(WrongPassword, a)
	case http.StatusForbidden:
		return s.no(PasswordExpired, a)
	case http.StatusNotFound, http.StatusBadRequest:
		return s.no(NoSuchApplication, a)
	case http.StatusLocked:
		return s.no(LockedOut, a)
	}
	g, err := s.granted(a)
	if err != nil {
		return err
	}
	s.token, s.permitted, s.home = Secret(g.Token), g.Permissions, g.Account
	s.expires, _ = time.Parse(time.RFC3339, g.ExpiresAt)
	return nil
}

// make makes an application token. An error that is no [*LoginError] leaves open whether it was made.
func (s *session) make(ctx context.Context, label string, permissions []string) (grant, error) {
	a, err := s.call(ctx, http.MethodPost, s.App.making(s.home), map[string]any{"label": label, "permissions": permissions})
	if err != nil {
		return grant{}, err
	}
	return s.granted(a)
}

// pageOfTokens is how many tokens are listed with one call.
const pageOfTokens = 100

// list lists the application tokens, page by page until one brings nothing new: how many a page holds is
// not known for sure, nor whether there are pages.
func (s *session) list(ctx context.Context) (all []PayPermit, err error) {
	for {
		query := url.Values{"$limit": {strconv.Itoa(pageOfTokens)}, "$skip": {strconv.Itoa(len(all))}}
		a, err := s.call(ctx, http.MethodGet, s.App.tokens()+"?"+query.Encode(), nil)
		if err != nil {
			return nil, err
		}
		var page []PayPermit
		if a.status/100 != 2 || json.Unmarshal(a.body, &page) != nil {
			return nil, s.unusable(a)
		}
		known := len(all)
		for _, p := range page {
			if !slices.ContainsFunc(all, func(q PayPermit) bool { return p.ID == q.ID }) {
				all = append(all, p)
			}
		}
		if len(all) == known {
			return all, nil
		}
	}
}

// remove deletes an application token; one that is gone already is.
func (s *session) remove(ctx context.Context, id string) error {
	a, err := s.call(ctx, http.MethodDelete, s.App.tokens()+"/"+url.PathEscape(id), nil)
	switch {
	case err != nil:
		return err
	case a.status/100 == 2 || a.status == http.StatusNotFound:
		return nil
	}
	return s.unusable(a)
}

// call asks with the token of the session, and sorts out what it may not do.
func (s *session) call(ctx context.Context, method, path string, body any) (payAnswer, error) {
	if err := s.begin(ctx); err != nil {
		return payAnswer{}, err
	}
	a, err := s.send(ctx, method, path, s.token, body)
	if err != nil {
		return a, err
	}
	switch a.status {
	case http.StatusUnauthorized, http.StatusForbidden:
		return a, s.no(NotAllowed, a)
	case http.StatusNotFound:
		if method != http.MethodDelete {
			return a, s.no(NoSuchApplication, a)
		}
	}
	return a, nil
}

// payAnswer is what came, whole.
type payAnswer struct {
	status int
	body   []byte
}

// payCallLimit bounds one call.
const payCallLimit = time.Minute

// send makes one call. A POST is not given up when ctx ends: what it makes would be lost. No redirect is
// followed.
func (s *session) send(ctx context.Context, method, path string, token Secret, body any) (a payAnswer, err error) {
	sending := ctx
	if method == http.MethodPost {
		sending = context.WithoutCancel(ctx)
	}
	sending, cancel := context.WithTimeout(sending, payCallLimit)
	defer cancel()
	var raw io.Reader
	if body != nil {
		text, err := json.Marshal(body)
		if err != nil {
			return a, errors.New("write the request to the token server")
		}
		raw = bytes.NewReader(text)
	}
	req, err := http.NewRequestWithContext(sending, method, s.App.Host+path, raw)
	if err != nil {
		return a, errors.New("ask the token server: bad address")
	}
	req.Header.Set("Accept", "application/json")
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if token != "" {
		req.Header.Set("Authorization", string(token))
	}
	s.Log.DebugContext(ctx, "sending token call", "host", s.App.Host, "method", method)
	resp, err := s.Base.RoundTrip(req)
	if err != nil {
		no := unsent(err)
		s.Log.DebugContext(ctx, "token call failed", "host", s.App.Host, "problem", no.problem)
		return a, &UnavailableError{Host: s.App.Host, Problem: no.problem, Err: no.err}
	}
	defer resp.Body.Close()
	a.status = resp.StatusCode
	a.body, err = io.ReadAll(io.LimitReader(resp.Body, 4<<20))
	s.Log.DebugContext(ctx, "token call answered", "host", s.App.Host, "status", a.status)
	if err != nil {
		return a, &UnavailableError{Host: s.App.Host, Problem: "broke off its answer"}
	}
	return a, nil
}

// granted takes the token out of an answer.
func (s *session) granted(a payAnswer) (g grant, err error) {
	if a.status/100 != 2 || json.Unmarshal(a.body, &g) != nil || g.Token == "" {
		return g, s.unusable(a)
	}
	if _, err := NewPayTransport(s.App.Host, Secret(g.Token), nil); err != nil {
		return g, s.unusable(a)
	}
	return g, nil
}

func (s *session) unusable(a payAnswer) error {
	problem := "answered HTTP " + strconv.Itoa(a.status)
	if a.status/100 == 2 {
		problem += " without what was asked for"
	}
	return &UnavailableError{Host: s.App.Host, Problem: problem}
}

// no is a refusal, with the server's words unless they hold a secret.
func (s *session) no(c Cause, a payAnswer) error {
	return &LoginError{Host: s.App.Host, Cause: c, Detail: scrub(saidIn(a.body), s.password, s.token, Secret(s.email))}
}

// saidIn is what an answer says, in any of the shapes that this vendor has.
func saidIn(body []byte) string {
	var shape struct {
		Message  string   `json:"message"`
		Messages []string `json:"messages"`
		Issues   []struct {
			Message string `json:"message"`
		} `json:"issues"`
	}
	if json.Unmarshal(body, &shape) != nil {
		if bytes.ContainsAny(body, "<{") {
			return ""
		}
		return string(body)
	}
	switch {
	case shape.Message != "":
		return shape.Message
	case len(shape.Messages) > 0:
		return shape.Messages[0]
	case len(shape.Issues) > 0:
		return shape.Issues[0].Message
	}
	return ""
}
