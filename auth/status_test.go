package auth_test

import (
	"encoding/json"
	"testing"
	"time"

	"exactduck/auth"
)

func TestStatus(t *testing.T) {
	s := newSite(t)
	read := func() auth.Status {
		st, err := auth.ReadStatus(t.Context(), s.store(), s.clock())
		if err != nil {
			t.Fatal(err)
		}
		say(st)
		return st
	}
	s.pass(100 * time.Second)
	st := read()
	if !st.LoggedIn || st.AccessAge != 100 || st.DaysLeft != 29 || st.CallsToday != 0 || st.CallsLeft != auth.MaxCalls {
		t.Errorf("%+v", st)
	}
	s.pass(500 * time.Second)
	if err := s.transport(t).Fresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	st = read()
	if st.AccessAge != 0 || st.DaysLeft != 30 || st.CallsToday != 1 || st.RefreshedBy.Command != "exactduck test" ||
		!st.RefreshedAt.Equal(s.clock()) || !st.RefreshDue.Equal(s.clock().Add(575*time.Second)) {
		t.Errorf("%+v", st)
	}
	raw, err := json.Marshal(st)
	if err != nil {
		t.Fatal(err)
	}
	say(string(raw))
	s.pass(31 * 24 * time.Hour)
	if st = read(); st.LoggedIn || st.Cause != auth.Expired || st.CallsToday != 0 || st.DaysLeft != 0 {
		t.Errorf("%+v", st)
	}
}
