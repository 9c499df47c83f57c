package main

import (
	"context"
	"time"
)

// unusedFor is for how long a login may go unused before it is used for its own sake: it lapses after
// thirty days, and three weeks of failures are time enough to be told.
const unusedFor = 7 * 24 * time.Hour

// keepLogins uses the logins that no run has used for long, those too of pipelines that are paused.
func (s *service) keepLogins(ctx context.Context) {
	cfg := s.settings.now()
	k := s.under(cfg)
	for _, name := range cfg.ConnectionNames() {
		if err := k.keepLogin(ctx, name); err != nil && ctx.Err() == nil {
			s.log.WarnContext(ctx, "login could not be kept alive", "connection", name, "error", err, "hint", hint(err))
		}
	}
}

func (k *call) keepLogin(ctx context.Context, name string) error {
	status, err := k.loginStatus(ctx, name)
	if err != nil || !status.LoggedIn || status.Lasting || k.clock().Sub(status.RefreshedAt) < unusedFor {
		return err
	}
	l, err := k.login(name)
	if err != nil {
		return err
	}
	if _, err := k.vendorOn(name).connect(ctx, k, l); err != nil {
		return err
	}
	k.log.InfoContext(ctx, "login kept alive", "connection", name, "unused_since", status.RefreshedAt)
	return nil
}

// loggedIn is when the login of a connection began to be what it is, on this machine; the zero time when
// a person must log in.
func (k *call) loggedIn(connection string) time.Time {
	status, err := k.loginStatus(context.Background(), connection)
	switch {
	case err != nil || !status.LoggedIn:
		return time.Time{}
	case status.Given: // nobody can log in: whoever has changed the token tells nobody
		return k.clock()
	}
	if status.Imported != nil && status.Imported.At.After(status.LoggedInAt) {
		return status.Imported.At
	}
	return status.LoggedInAt
}
