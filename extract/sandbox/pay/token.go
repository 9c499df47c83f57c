package pay

import (
	"fmt"
	"net/http"
	"slices"
	"time"

	"exactduck/extract/sandbox/internal/wire"
)

// token is what somebody may do with the Authorization header.
type token struct {
	ID          string    `json:"id"`
	Value       string    `json:"token"`
	Label       string    `json:"label,omitempty"`
	User        string    `json:"user,omitempty"` // of user tokens
	Application string    `json:"application"`
	Account     string    `json:"account"` // the organization, or the account it is bound to
	Mode        string    `json:"mode"`
	Permissions []string  `json:"permissions"`
	Created     time.Time `json:"created"`
	Used        time.Time `json:"used,omitzero"`
}

func (t *token) isUser() bool { return t.User != "" }

const (
	defaultLife = 2 * time.Hour
	forgiven    = 5 // logins that may fail in a row
)

// issue makes a token.
func (s *Sandbox) issue(t token) (*token, error) {
	d := newDice(s.world.seed, "token", s.issued)
	s.issued++
	t.Created, t.Used = s.now(), s.now()
	t.ID, t.Value = fmt.Sprintf("%08x%s", uint32(t.Created.Unix()), d.hex(8)), d.hex(40)
	s.tokens = append(s.tokens, &t)
	return &t, s.saveLogins()
}

// Token makes an application token without a login, as somebody of the account would; "" is the
// organization. Without permissions it has all of them.
func (s *Sandbox) Token(account string, permissions ...string) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, err := s.world.account(account); err != nil {
		return "", err
	}
	if account == "" {
		account = s.world.organization
	}
	if len(permissions) == 0 {
		permissions = Permissions
	}
	t, err := s.issue(token{Label: "issued by the sandbox", Application: s.world.application, Account: account, Mode: "test", Permissions: permissions})
	if err != nil {
		return "", err
	}
	return t.Value, nil
}

// Deny takes a permission away from every token there is and will be, until Grant gives it back.
func (s *Sandbox) Deny(permission string) error { return s.allow("deny", permission) }

// Grant ends what Deny began.
func (s *Sandbox) Grant(permission string) error { return s.allow("grant", permission) }

func (s *Sandbox) allow(op, permission string) error {
	if !slices.Contains(Permissions, permission) {
		return fmt.Errorf("there is no permission %q", permission)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.do(step{Op: op, Name: permission})
}

// Revoke makes all tokens of no use that anybody has; users can log in again.
func (s *Sandbox) Revoke() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tokens = nil
	return s.saveLogins()
}

// life is how long user tokens are good.
func (s *Sandbox) life() time.Duration {
	if s.switches.TokenLife > 0 {
		return s.switches.TokenLife
	}
	return defaultLife
}

// expires is when a user token ends as things are.
func (s *Sandbox) expires(t *token) time.Time {
	if s.switches.TokenRigid {
		return t.Created.Add(s.life())
	}
	return t.Used.Add(s.life())
}

// known finds the token that a request has, if it is good for anything, and notes that it was used.
// It has to be there as it is: with Bearer before it, it is another.
func (s *Sandbox) known(value string) *token {
	i := slices.IndexFunc(s.tokens, func(t *token) bool { return t.Value == value })
	if i < 0 {
		return nil
	}
	t := s.tokens[i]
	if t.isUser() && !s.now().Before(s.expires(t)) {
		return nil
	}
	if a, err := s.world.account(t.Account); err == nil && a.isDisabled() {
		return nil
	}
	t.Used = s.now()
	return t
}

// may says whether a token has a permission still.
func (s *Sandbox) may(t *token, permission string) bool {
	return permission == "" || !s.denied[permission] && slices.Contains(t.Permissions, permission)
}

// permissionsOf are those that a token has still.
func (s *Sandbox) permissionsOf(t *token) []string {
	return slices.DeleteFunc(slices.Clone(t.Permissions), func(p string) bool { return s.denied[p] })
}

// covers says whether a token reaches an account, or its organization.
func (s *Sandbox) covers(t *token, account string) bool {
	return t.Account == account || t.Account == s.world.organization
}

// reach are the organization and the accounts that a token reaches.
func (s *Sandbox) reach(account string) []string {
	if account != s.world.organization {
		return []string{account}
	}
	ids := []string{account}
	for _, a := range s.world.accounts {
		ids = append(ids, a.id)
	}
	return ids
}

// makeToken answers POST /application/{application}/token, and the two that bind it to an
// organization or an account.
func (s *Sandbox) makeToken(v *visit) *wire.Reply {
	var wish struct {
		Label       *string  `json:"label"`
		Permissions []string `json:"permissions"`
		Mode        string   `json:"mode"`
	}
	issues := v.read(&wish)
	issues = append(issues, required("label", wish.Label)...)
	if wish.Permissions == nil {
		issues = append(issues, missing("permissions", "array"))
	} else if len(wish.Permissions) == 0 {
		issues = append(issues, tooSmall("permissions", "array"))
	}
	for i, p := range wish.Permissions {
		if !slices.Contains(Permissions, p) {
			issues = append(issues, issue{"code": "invalid_enum_value", "path": []any{"permissions", i}, "message": "Invalid enum value"})
		}
	}
	if len(issues) > 0 {
		return zodError(issues)
	}
	account := v.token.Account
	if bound := v.params["organization"] + v.params["account"]; bound != "" {
		account = bound
	}
	for _, p := range wish.Permissions {
		if !s.may(v.token, p) {
			return v.plain(http.StatusUnauthorized)
		}
	}
	t, err := s.issue(token{Label: *wish.Label, Application: v.params["application"], Account: account, Mode: mode(wish.Mode), Permissions: wish.Permissions})
	if err != nil {
		return v.unhandled(err)
	}
	return jsonReply(http.StatusCreated, object{
		"id": t.ID, "label": t.Label, "type": "application", "token": t.Value, "mode": t.Mode,
		"allowedPermissions": list(t.Permissions), "allowedAccounts": list(s.reach(t.Account)),
	})
}

func mode(wish string) string {
	if wish == "live" {
		return wish
	}
	return "test"
}

// listed is an application token as lists show it.
type listed struct {
	*token
	allowed []string
}

func (t listed) ident() string            { return t.ID }
func (t listed) born() time.Time          { return t.Created }
func (t listed) quick(string) (any, bool) { return nil, false }
func (t listed) shown() object {
	return object{"id": t.ID, "label": t.Label, "type": "application", "allowedPermissions": list(t.allowed), "createdAt": t.Created}
}

// mine says whether an application token is one that the token of a visit may list and delete.
func (s *Sandbox) mine(v *visit, t *token) bool {
	return !t.isUser() && t.Application == v.params["application"] && s.covers(v.token, t.Account)
}

func (s *Sandbox) listTokens(v *visit) *wire.Reply {
	var rows []row
	for _, t := range s.tokens {
		if s.mine(v, t) {
			rows = append(rows, listed{t, s.permissionsOf(t)})
		}
	}
	return v.list(rows)
}

func (s *Sandbox) deleteToken(v *visit) *wire.Reply {
	i := slices.IndexFunc(s.tokens, func(t *token) bool { return t.ID == v.params["token"] && s.mine(v, t) })
	if i < 0 {
		return v.plain(http.StatusNotFound)
	}
	s.tokens = slices.Delete(slices.Clone(s.tokens), i, i+1)
	if err := s.saveLogins(); err != nil {
		return v.unhandled(err)
	}
	return &wire.Reply{Status: http.StatusNoContent}
}
