package main

import (
	"context"
	"time"

	"exactduck/auth"
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
	if err != nil {
		return time.Time{}
	}
	return loggedInAt(status.Status, k.clock())
}

// loggedInAt is loggedIn of a login whose status is known. Of a token that was given nobody tells when it
// was changed: it may have been every hour, and not more often, or a run that it is refused to would be
// tried again at once.
func loggedInAt(l auth.Status, now time.Time) time.Time {
	switch {
	case !l.LoggedIn:
		return time.Time{}
	case l.Given:
		return now.Truncate(time.Hour)
	case l.Imported != nil && l.Imported.At.After(l.LoggedInAt):
		return l.Imported.At
	}
	return l.LoggedInAt
}
