package sandbox_test

import (
	"net/http"
	"strconv"
	"testing"
	"time"

	"exactduck/extract/sandbox"
)

const cheap = "/api/v1/123456/crm/AccountClasses?$select=ID&$top=1"

func wantHeaders(t *testing.T, h http.Header, want map[string]string) {
	t.Helper()
	for _, name := range []string{
		"X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset",
		"X-RateLimit-Minutely-Limit", "X-RateLimit-Minutely-Remaining", "X-RateLimit-Minutely-Reset",
	} {
		if h.Get(name) != want[name] {
			t.Errorf("%s is %q, want %q", name, h.Get(name), want[name])
		}
	}
}

func millis(at time.Time) string { return strconv.FormatInt(at.UnixMilli(), 10) }

func TestTheMinuteIsUsedUp(t *testing.T) {
	v := visit(t, sandbox.Options{MinuteLimit: 3, DayLimit: 100})
	v.clock.pass(10 * time.Second)
	minute, day := time.Date(2026, 7, 15, 10, 1, 0, 0, time.UTC), time.Date(2026, 7, 16, 0, 0, 0, 0, time.UTC)
	_, header, _ := v.get(cheap)
	wantHeaders(t, header, map[string]string{
		"X-RateLimit-Limit": "100", "X-RateLimit-Remaining": "99", "X-RateLimit-Reset": millis(day),
		"X-RateLimit-Minutely-Limit": "3", "X-RateLimit-Minutely-Remaining": "2", "X-RateLimit-Minutely-Reset": millis(minute),
	})
	v.get(cheap)
	v.get(cheap)
	status, header, body := v.get(cheap)
	if status != http.StatusTooManyRequests || body != "" {
		t.Errorf("the fourth call answered %d %q", status, body)
	}
	wantHeaders(t, header, map[string]string{"X-RateLimit-Minutely-Limit": "3", "X-RateLimit-Minutely-Remaining": "0", "X-RateLimit-Minutely-Reset": millis(minute)})
	if status, _, _ := v.get("/api/v1/123457/crm/AccountClasses?$top=1"); status != 200 {
		t.Errorf("the other division answered %d", status)
	}
	v.clock.pass(50 * time.Second)
	if status, _, _ := v.get(cheap); status != 200 {
		t.Errorf("in the next minute: %d", status)
	}
}

func TestTheDayIsUsedUp(t *testing.T) {
	v := visit(t, sandbox.Options{MinuteLimit: 100, DayLimit: 2})
	v.get(cheap)
	v.get(cheap)
	status, header, _ := v.get(cheap)
	if status != http.StatusTooManyRequests {
		t.Errorf("the third call answered %d", status)
	}
	wantHeaders(t, header, map[string]string{
		"X-RateLimit-Limit": "2", "X-RateLimit-Remaining": "0",
		"X-RateLimit-Reset": millis(time.Date(2026, 7, 16, 0, 0, 0, 0, time.UTC)),
	})
}

func TestAShortWindow(t *testing.T) {
	v := visit(t, sandbox.Options{MinuteLimit: 1, DayLimit: 100, Window: 2 * time.Second})
	v.get(cheap)
	if status, _, _ := v.get(cheap); status != http.StatusTooManyRequests {
		t.Errorf("the second call answered %d", status)
	}
	v.clock.pass(2 * time.Second)
	if status, _, _ := v.get(cheap); status != 200 {
		t.Errorf("in the next window: %d", status)
	}
}

func TestTenErrorsBlockAnEndpoint(t *testing.T) {
	v := visit(t, sandbox.Options{})
	for range 10 {
		if status, _, _ := v.get("/api/v1/123456/crm/AccountClasses?$select=Nonsense"); status != 400 {
			t.Fatalf("an error answered %d", status)
		}
	}
	if status, header, _ := v.get(cheap); status != http.StatusTooManyRequests || header.Get("X-RateLimit-Remaining") != "" {
		t.Errorf("after ten errors: %d", status)
	}
	if status, _, _ := v.get("/api/v1/123457/crm/AccountClasses?$top=1"); status != 200 {
		t.Errorf("in the other division: %d", status)
	}
	if status, _, _ := v.get("/api/v1/123456/crm/Addresses?$top=1"); status != 200 {
		t.Errorf("another endpoint: %d", status)
	}
	v.clock.pass(time.Hour)
	v.login()
	if status, _, _ := v.get(cheap); status != 200 {
		t.Errorf("an hour later: %d", status)
	}
}
