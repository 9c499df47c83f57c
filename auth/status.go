package auth

import (
	"context"
	"time"
)

// refreshLife is how long a refresh token lives when it is not used.
const refreshLife = 30 * 24 * time.Hour

// Status tells how a login is, without secrets. Its JSON is part of the command line's contract.
type Status struct {
	Host     string `json:"host"`
	ClientID string `json:"client_id"`
	// LoggedIn is false when a person must log in; Problem then says why.
	LoggedIn   bool      `json:"logged_in"`
	Cause      Cause     `json:"cause,omitempty"`
	Problem    string    `json:"problem,omitempty"`
	LoggedInAt time.Time `json:"logged_in_at,omitzero"`
	// AccessAge is how old the access token is, in seconds; a refresh is due at 575.
	AccessAge  int64     `json:"access_age_seconds"`
	RefreshDue time.Time `json:"refresh_due_at,omitzero"`
	// ExpiresAt is when the login lapses unless it is used before; DaysLeft counts whole days.
	ExpiresAt time.Time `json:"expires_at,omitzero"`
	DaysLeft  int       `json:"days_left"`
	// CallsToday counts calls to the token server on this UTC day.
	CallsToday int `json:"token_calls_today"`
	CallsLeft  int `json:"token_calls_left"`
	// RefreshedBy is the process that got the tokens in use, and RefreshedAt when it did.
	RefreshedBy Process   `json:"last_refresh_by,omitzero"`
	RefreshedAt time.Time `json:"last_refresh_at,omitzero"`
	// Unanswered is a refresh whose outcome is not known: the next one finds out.
	Unanswered *Attempt `json:"unanswered,omitempty"`
	// Sealed is where the login was exported to, and Imported the bundle that it came in.
	Sealed   *Move `json:"sealed,omitempty"`
	Imported *Move `json:"imported,omitempty"`
	// Lasting is true of an application token, which does not lapse: then the times and calls above are
	// zero. Label and Permissions are its own.
	Lasting bool `json:"lasting,omitempty"`
	// Given says that the token comes from the configuration: nobody logs in, and nothing is stored.
	Given       bool     `json:"given,omitempty"`
	Label       string   `json:"label,omitempty"`
	Permissions []string `json:"permissions,omitempty"`
	// Leftovers are application tokens that may be at the vendor though nobody here uses them.
	Leftovers []Leftover `json:"leftovers,omitempty"`
}

// ReadStatus reads the status of the login in store at now. No login is no error.
func ReadStatus(ctx context.Context, store Store, now time.Time) (Status, error) {
	var s State
	err := store.Locked(ctx, func(slot Slot) (err error) {
		s, err = slot.Load()
		return err
	})
	return s.Status(now), err
}

// Status describes the state at now.
func (s State) Status(now time.Time) Status {
	st := Status{
		Host: s.Host, ClientID: s.ClientID, LoggedInAt: s.LoggedInAt,
		CallsToday: s.Calls.On(now), CallsLeft: max(0, MaxCalls-s.Calls.On(now)), Unanswered: s.Attempt,
		Sealed: s.Sealed, Imported: s.Imported, Leftovers: s.Leftovers,
	}
	if a := s.Application; a != nil {
		st.LoggedIn, st.Lasting, st.Label, st.Permissions = true, true, a.Label, a.Permissions
		st.CallsLeft, st.RefreshedBy, st.RefreshedAt = 0, a.By, a.MadeAt
		return st
	}
	if s.Now == nil {
		st.Cause, st.Problem = NoLogin, NoLogin.Explain()
		return st
	}
	st.LoggedIn = true
	st.AccessAge = int64(now.Sub(s.Now.ObtainedAt) / time.Second)
	st.RefreshDue = s.Now.ObtainedAt.Add(dueAge)
	st.ExpiresAt = s.Now.ObtainedAt.Add(refreshLife)
	st.DaysLeft = max(0, int(st.ExpiresAt.Sub(now)/(24*time.Hour)))
	st.RefreshedBy, st.RefreshedAt = s.Now.By, s.Now.ObtainedAt
	switch {
	case s.Sealed != nil:
		gone := &LoginError{Host: s.Host, Cause: Sealed, Moved: s.Sealed}
		st.LoggedIn, st.Cause, st.Problem = false, Sealed, gone.Error()
	case s.Broken != nil:
		st.LoggedIn, st.Cause, st.Problem = false, s.Broken.Cause, s.Broken.err(s.Host).Error()
	case !now.Before(st.ExpiresAt):
		st.LoggedIn, st.Cause, st.Problem = false, Expired, Expired.Explain()
	}
	return st
}

// Logout forgets the login on this machine. The server lets it lapse after 30 days.
func Logout(ctx context.Context, store Store) error {
	return store.Locked(ctx, Slot.Remove)
}
