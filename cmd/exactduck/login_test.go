package main

import (
	"bytes"
	"strings"
	"testing"
	"time"
)

func TestCountdownShowsForHowLongACodeIsGood(t *testing.T) {
	t.Parallel()
	var shown bytes.Buffer
	now := time.Date(2026, 11, 21, 4, 15, 0, 0, time.UTC)
	k := &call{app: newApp(nil, nil, &shown)}
	k.clock = func() time.Time { return now }
	show, stop := k.countdown(t.Context())
	show(now.Add(3 * time.Minute))
	stop()
	if text := shown.String(); !strings.HasPrefix(text, "\rexchanging the code, which is good for 3:00 more ") || !strings.HasSuffix(text, "\n") {
		t.Errorf("it shows %q", text)
	}
}
