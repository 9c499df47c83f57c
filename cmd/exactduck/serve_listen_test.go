package main

import (
	"net/http"
	"strings"
	"testing"
)

// Where the page is changes with a restart only, and serve says so.
func TestServeSaysThatItsPageStaysWhereItIs(t *testing.T) {
	t.Parallel()
	o := newScheduled(t, "      - crm/Accounts")
	o.rewrite("pipelines:\n", "serve: {listen: 127.0.0.1:0}\npipelines:\n")
	s := o.serveBy()
	if _, text := o.get(s.url()); strings.Contains(text, "started anew") {
		t.Errorf("the page says %s", text)
	}
	o.rewrite("listen: 127.0.0.1:0", "listen: 127.0.0.1:8599")
	s.await("the page stays where it is until serve is started anew")
	if code, text := o.get(s.url()); code != http.StatusOK || !strings.Contains(text, "listen: 127.0.0.1:8599") || !strings.Contains(text, "until serve is started anew") {
		t.Errorf("the page says %d %s", code, text)
	}
	s.stop()
}
