package auth

import (
	"context"
	"crypto/rand"
	"errors"
	"slices"
	"time"
)

// PayUser is a person at Exact Payments.
type PayUser struct {
	Email    string
	Password Secret
}

// PayLoggedIn is what became of a [PayLogin].
type PayLoggedIn struct {
	Status
	// Lacking are permissions that were wanted and that the user does not have, and so cannot give.
	Lacking []string `json:"lacking_permissions,omitempty"`
	// Mode is "live", or "test" of a token for tests; "": the vendor did not say.
	Mode string `json:"mode,omitempty"`
}

// PayLogin has a user make an application token with some permissions, as far as the user has them, and
// puts it into the store. The token that was there before is deleted at the vendor, and so is what
// earlier attempts left behind; where that fails it is told in [Status.Leftovers] and no error. Errors
// are [*LoginError], [*UnavailableError] and [*StoreError].
func PayLogin(ctx context.Context, o PayOptions, u PayUser, permissions []string) (in PayLoggedIn, err error) {
	p, err := newPayer(o)
	if err != nil {
		return in, err
	}
	err = p.Store.Locked(ctx, func(slot Slot) error {
		s, err := p.load(slot)
		if err != nil {
			return err
		}
		j := &payJournal{payer: p, slot: slot, state: &s}
		user := &session{payer: p, email: u.Email, password: u.Password}
		if err := j.obtain(ctx, user, permissions, &in); err != nil {
			return err
		}
		if err := j.tidy(ctx, user); err != nil {
			p.Log.WarnContext(ctx, "application tokens that nobody uses stay at the vendor", "error", err)
		}
		in.Status = s.Status(p.Clock())
		return nil
	})
	return in, err
}

// PayLogout deletes the login's application token, and what earlier attempts left behind, at the vendor
// and then here. Without a user the token itself has to be allowed to; a [*LoginError] with [NotAllowed]
// says that it is not. What could not be deleted stays in the store.
func PayLogout(ctx context.Context, o PayOptions, u PayUser) error {
	p, err := newPayer(o)
	if err != nil {
		return err
	}
	return p.Store.Locked(ctx, func(slot Slot) error {
		s, err := p.load(slot)
		if err != nil {
			return err
		}
		by := &session{payer: p, email: u.Email, password: u.Password}
		if s.Application != nil && u.Email == "" {
			by.token = s.Application.Token
		}
		if by.email == "" && by.token == "" && len(s.Leftovers) > 0 {
			return &LoginError{Host: p.App.Host, Cause: NotAllowed}
		}
		j := &payJournal{payer: p, slot: slot, state: &s}
		// A token that deletes itself does so last.
		if err := j.tidy(ctx, by); err != nil {
			return err
		}
		if s.Application != nil {
			if err := by.remove(ctx, s.Application.ID); err != nil {
				return err
			}
		}
		return slot.Remove()
	})
}

// PayPermits lists the application tokens of the application, as far as the login's own may see them.
// token is used in the place of that of the store unless it is "".
func PayPermits(ctx context.Context, o PayOptions, token Secret) ([]PayPermit, error) {
	p, err := newPayer(o)
	if err != nil {
		return nil, err
	}
	if token == "" {
		if token, err = PayToken(ctx, o); err != nil {
			return nil, err
		}
	}
	return (&session{payer: p, token: token}).list(ctx)
}

// payJournal keeps the store in step with what is made and deleted.
type payJournal struct {
	*payer
	slot  Slot
	state *State
}

// obtain gets a new token into the store, and tells of it.
func (j *payJournal) obtain(ctx context.Context, user *session, wanted []string, in *PayLoggedIn) error {
	if err := user.begin(ctx); err != nil {
		return err
	}
	permissions, lacking := split(wanted, user.permitted)
	if in.Lacking = lacking; len(permissions) == 0 {
		return &LoginError{Host: j.App.Host, Cause: NotAllowed, Detail: "the user may do nothing of what is to be read"}
	}
	asked := Leftover{Label: j.label(), At: j.Clock().UTC().Round(time.Second), By: j.self}
	j.state.Leftovers = append(j.state.Leftovers, asked)
	if err := j.slot.Save(*j.state); err != nil {
		return err
	}
	g, err := user.make(ctx, asked.Label, permissions)
	if err != nil {
		return errors.Join(err, j.unmade(ctx, user, asked, err))
	}
	in.Mode = g.Mode
	former := j.state.Application
	j.state.Leftovers = without(j.state.Leftovers, asked)
	if former != nil {
		j.state.Leftovers = append(j.state.Leftovers, Leftover{Label: former.Label, ID: former.ID, At: former.MadeAt, By: former.By})
	}
	j.state.Application = &ApplicationToken{
		ID: g.ID, Label: asked.Label, Token: Secret(g.Token), Permissions: sureOf(g.Permissions, permissions), MadeAt: asked.At, By: j.self,
	}
	j.state.LoggedInAt = asked.At
	if err := j.slot.Save(*j.state); err != nil { // nobody could use it; its label is in the store
		return errors.Join(err, user.remove(ctx, g.ID))
	}
	return nil
}

// label is one that no other token has.
func (j *payJournal) label() string { return "exactduck " + j.self.Machine + " " + rand.Text()[:12] }

// split takes apart what is wanted: what the user may give, and what not. nil: nobody told what may be.
func split(wanted, permitted []string) (given, lacking []string) {
	for _, w := range wanted {
		if permitted == nil || slices.Contains(permitted, w) {
			given = append(given, w)
		} else {
			lacking = append(lacking, w)
		}
	}
	return given, lacking
}

func sureOf(told, asked []string) []string {
	if len(told) > 0 {
		return told
	}
	return asked
}

// unmade takes note of a token that was not made, or of which nobody knows: then it is looked for.
func (j *payJournal) unmade(ctx context.Context, user *session, asked Leftover, why error) error {
	if no := (*LoginError)(nil); errors.As(why, &no) { // a plain no
		j.state.Leftovers = without(j.state.Leftovers, asked)
		return j.slot.Save(*j.state)
	}
	if err := j.tidy(ctx, user); err != nil {
		j.Log.WarnContext(ctx, "whether an application token was made is not known; the next login finds out", "label", asked.Label)
	}
	return nil
}

// tidy deletes at the vendor what is left behind there, and forgets each here once it is gone.
func (j *payJournal) tidy(ctx context.Context, by *session) error {
	for _, l := range slices.Clone(j.state.Leftovers) {
		there, err := j.found(ctx, by, l)
		if err != nil {
			return err
		}
		for _, id := range there {
			if err := by.remove(ctx, id); err != nil {
				return err
			}
		}
		j.state.Leftovers = without(j.state.Leftovers, l)
		if err := j.slot.Save(*j.state); err != nil {
			return err
		}
	}
	return nil
}

// found are the ids of what is left behind. Without an id the label tells, if the list shows it.
func (j *payJournal) found(ctx context.Context, by *session, l Leftover) (ids []string, err error) {
	if l.ID != "" {
		return []string{l.ID}, nil
	}
	listed, err := by.list(ctx)
	for _, t := range listed {
		if t.ID != "" && t.Label == l.Label {
			ids = append(ids, t.ID)
		}
	}
	return ids, err
}
