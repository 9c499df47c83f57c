package pay

import (
	"cmp"
	"net/http"

	"exactduck/extract/sandbox/internal/wire"
)

// login answers POST /token.
func (s *Sandbox) login(v *visit) *wire.Reply {
	var wish struct {
		Email       *string `json:"email"`
		Password    *string `json:"password"`
		Application string  `json:"application"`
		Mode        string  `json:"mode"`
	}
	issues := v.read(&wish)
	if issues = append(issues, required("email", wish.Email)...); wish.Password == nil {
		issues = append(issues, missing("password", "string"))
	}
	if len(issues) > 0 {
		return zodError(issues)
	}
	application := cmp.Or(wish.Application, v.request.Header.Get("X-Application-Id"), s.world.application)
	u := s.world.userOf(*wish.Email)
	if application != s.world.application || u == nil {
		return v.plain(http.StatusNotFound)
	}
	if status := s.knock(u, *wish.Password); status != http.StatusCreated {
		if err := s.saveLogins(); err != nil {
			return v.unhandled(err)
		}
		return v.plain(status)
	}
	t, err := s.issue(token{User: u.id, Application: application, Account: u.account, Mode: mode(wish.Mode), Permissions: Permissions})
	if err != nil {
		return v.unhandled(err)
	}
	return jsonReply(http.StatusCreated, s.welcome(t))
}

// knock says with which status a user is let in or not.
func (s *Sandbox) knock(u *user, password string) int {
	a, err := s.world.account(u.account)
	switch {
	case s.locked[u.email]:
		return http.StatusLocked
	case err == nil && a.isDisabled():
		return http.StatusUnauthorized
	case password != u.password:
		s.failed[u.email]++
		s.locked[u.email] = s.failed[u.email] > forgiven
		return http.StatusUnauthorized
	case s.switches.PasswordExpired:
		return http.StatusForbidden
	}
	delete(s.failed, u.email)
	return http.StatusCreated
}

// Unlock lets users in again who have failed too often.
func (s *Sandbox) Unlock() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.failed, s.locked = map[string]int{}, map[string]bool{}
	return s.saveLogins()
}

func (s *Sandbox) welcome(t *token) object {
	kind := "account"
	if t.Account == s.world.organization {
		kind = "organization"
	}
	return object{
		"isAuthenticated": true, "mode": t.Mode, "token": t.Value, "type": "user", "user": t.User, "application": t.Application,
		"account": t.Account, "accountType": kind, "allowedPermissions": list(s.permissionsOf(t)), "allowedAccounts": list(s.reach(t.Account)),
		"apiVersion": "1.0.0", "expiresAt": s.expires(t),
	}
}

func (w *world) userOf(email string) *user {
	if email == w.user.email {
		return w.user
	}
	for _, a := range w.accounts {
		if a.user.email == email {
			return a.user
		}
	}
	return nil
}
