package sandbox

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"strings"
	"time"
)

const (
	codeLife     = 3 * time.Minute
	accessLife   = 600 * time.Second
	refreshAfter = 570 * time.Second
	refreshLife  = 30 * 24 * time.Hour
	tokenCalls   = 200 // a day
)

// logins is what the token endpoint remembers of the one app and the one user. Only identifiers
// are kept here; what a client holds is an identifier with its signature.
type logins struct {
	Codes  map[string]code      `json:"codes"`
	Access map[string]time.Time `json:"access"` // until when each is valid
	// Current is the one refresh token that works, made at Issued for Chain.
	Current string    `json:"current"`
	Issued  time.Time `json:"issued"`
	Chain   string    `json:"chain"`
	// Chains says to which chain each refresh token ever issued belongs.
	Chains map[string]string `json:"chains"`
	Day    int64             `json:"day"`
	Calls  int               `json:"calls"`
}

type code struct {
	Redirect string    `json:"redirect"`
	Until    time.Time `json:"until"`
}

func newLogins() *logins {
	return &logins{Codes: map[string]code{}, Access: map[string]time.Time{}, Chains: map[string]string{}}
}

// call counts a token call; false: the day's are used up.
func (l *logins) call(now time.Time) bool {
	if day := now.Unix() / 86400; day != l.Day {
		l.Day, l.Calls = day, 0
	}
	l.Calls++
	return l.Calls <= tokenCalls
}

// redeem spends a code. It begins a new chain, which ends the one before.
func (l *logins) redeem(id, redirect string, now time.Time) error {
	if id == "" {
		return errMangled
	}
	c, ok := l.Codes[id]
	delete(l.Codes, id)
	switch {
	case !ok || now.After(c.Until):
		return errSpentCode
	case c.Redirect != redirect:
		return errBare
	}
	l.Chain = identifier()
	return nil
}

// refresh spends the current refresh token.
func (l *logins) refresh(id string, now time.Time) error {
	chain, known := l.Chains[id]
	switch {
	case id == "":
		return errMangled
	case !known || chain != l.Chain:
		return errChain
	case id != l.Current:
		return errOldToken
	case now.Sub(l.Issued) > refreshLife:
		return lapsed(l.Issued.Add(refreshLife), now)
	case now.Sub(l.Issued) < refreshAfter:
		return errTooEarly
	}
	return nil
}

// issue makes the next pair of the chain.
func (l *logins) issue(now time.Time) (access, refresh string) {
	access, refresh = identifier(), identifier()
	for id, until := range l.Access {
		if now.After(until) {
			delete(l.Access, id)
		}
	}
	l.Access[access] = now.Add(accessLife)
	l.Current, l.Issued = refresh, now
	l.Chains[refresh] = l.Chain
	return access, refresh
}

func (l *logins) valid(access string, now time.Time) bool {
	until, ok := l.Access[access]
	return ok && now.Before(until)
}

// consent makes a code for a redirect URL.
func (s *Sandbox) consent(redirect string) (string, error) {
	id := identifier()
	s.logins.Codes[id] = code{redirect, s.now().Add(codeLife)}
	if err := s.saveLogins(); err != nil {
		return "", err
	}
	return s.sign("code", id), nil
}

func identifier() string {
	var b [18]byte
	rand.Read(b[:]) // never fails
	return base64.RawURLEncoding.EncodeToString(b[:])
}

// sign makes a token or code of an identifier. All of them contain an exclamation mark.
func (s *Sandbox) sign(use, id string) string {
	prefix := map[string]string{"code": "stampNL001.", "access": "stampNL001.gAAAA", "refresh": "stampNL001."}[use]
	return prefix + id + "!IAAAA" + s.signature(id)
}

func (s *Sandbox) signature(id string) string {
	mac := hmac.New(sha256.New, []byte(s.secret))
	mac.Write([]byte(id))
	return hex.EncodeToString(mac.Sum(nil))
}

// unsign takes a token or code apart; "" when it has been tampered with on its way.
func (s *Sandbox) unsign(token string) string {
	head, signature, ok := strings.Cut(token, "!IAAAA")
	id := strings.TrimPrefix(strings.TrimPrefix(head, "stampNL001."), "gAAAA")
	if !ok || !hmac.Equal([]byte(signature), []byte(s.signature(id))) {
		return ""
	}
	return id
}
