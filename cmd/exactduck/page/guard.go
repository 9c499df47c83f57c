package page

import (
	"cmp"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"time"
)

// largestBody is more than any form of the page sends.
const largestBody = 4 << 10

// refusal is a request that is not answered.
type refusal struct {
	status int
	why    string        // for the log and for the person
	after  time.Duration // when to try again; 0: never
}

func (e *refusal) Error() string { return e.why }

// headed sets the headers that every answer has.
func (h *server) headed(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for name, value := range map[string]string{
			"Content-Security-Policy": "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; " +
				"base-uri 'none'; frame-ancestors 'none'",
			"X-Content-Type-Options":       "nosniff",
			"X-Frame-Options":              "DENY",
			"Referrer-Policy":              "same-origin", // none at all would hide where forms come from
			"Cross-Origin-Opener-Policy":   "same-origin",
			"Cross-Origin-Resource-Policy": "same-origin",
			"Permissions-Policy":           "camera=(), geolocation=(), microphone=()",
			"Cache-Control":                "no-store",
		} {
			w.Header().Set(name, value)
		}
		next.ServeHTTP(w, r)
	})
}

// limited bounds what is read of a request.
func limited(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.Body = http.MaxBytesReader(w, r.Body, largestBody)
		next.ServeHTTP(w, r)
	})
}

// guarded lets those through who may see the page, and actions only when they come from it.
func (h *server) guarded(next http.Handler) http.Handler {
	origins := http.NewCrossOriginProtection()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		err := h.admit(w, r)
		if err == nil && r.ContentLength > largestBody {
			err = &refusal{status: http.StatusRequestEntityTooLarge, why: "the request is too large"}
		}
		if err == nil && !safe(r.Method) {
			err = h.fromHere(origins, r)
		}
		if err != nil {
			h.refuse(w, r, err)
			return
		}
		next.ServeHTTP(w, r)
	})
}

func safe(method string) bool { return method == http.MethodGet || method == http.MethodHead }

// admit reports why somebody may not see the page; nil: they may.
func (h *server) admit(w http.ResponseWriter, r *http.Request) *refusal {
	from, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return &refusal{status: http.StatusForbidden, why: "the request comes from nowhere"}
	}
	address := from.Addr().Unmap()
	name, password := h.Password()
	if password == "" {
		switch {
		case !address.IsLoopback():
			return &refusal{status: http.StatusForbidden, why: "without a password this page is for the machine alone that it runs on"}
		case !ownName(r.Host): // a name of somebody else's that leads here
			return &refusal{status: http.StatusMisdirectedRequest, why: "this page answers to 127.0.0.1 and localhost, and to no other name without a password"}
		}
		return nil
	}
	now, who := h.Clock(), cmp.Or(h.known(r), neighbourhood(address).String())
	if wait := h.locks.wait(who, now); wait > 0 {
		return &refusal{status: http.StatusTooManyRequests, why: "too many wrong passwords", after: wait}
	}
	user, given, offered := r.BasicAuth()
	if offered && both(same(user, name), same(given, password)) {
		h.locks.forget(who)
		h.introduce(w, r)
		return nil
	}
	if offered {
		h.locks.wrong(who, now)
		return &refusal{status: http.StatusUnauthorized, why: "wrong user or password"}
	}
	return &refusal{status: http.StatusUnauthorized, why: "no password"}
}

// ownName reports whether a Host header is a name of this machine that nobody else can give away.
func ownName(host string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	host = strings.Trim(host, "[]")
	ip := net.ParseIP(host)
	return strings.EqualFold(host, "localhost") || ip != nil && ip.IsLoopback()
}

// both looks at both, whatever the first is.
func both(a, b bool) bool { return a && b }

// same compares in a time that tells nothing of either.
func same(a, b string) bool {
	x, y := sha256.Sum256([]byte(a)), sha256.Sum256([]byte(b))
	return subtle.ConstantTimeCompare(x[:], y[:]) == 1
}

// fromHere reports why a request that changes something is not taken for one of our own forms.
func (h *server) fromHere(origins *http.CrossOriginProtection, r *http.Request) *refusal {
	if err := origins.Check(r); err != nil {
		return &refusal{status: http.StatusForbidden, why: "the request comes from another site"}
	}
	if kind := r.Header.Get("Content-Type"); !strings.HasPrefix(kind, "application/x-www-form-urlencoded") {
		return &refusal{status: http.StatusUnsupportedMediaType, why: "the request is no form"}
	}
	var large *http.MaxBytesError
	switch err := r.ParseForm(); {
	case errors.As(err, &large):
		return &refusal{status: http.StatusRequestEntityTooLarge, why: "the request is too large"}
	case err != nil:
		return &refusal{status: http.StatusBadRequest, why: "the form cannot be read"}
	}
	if !same(r.PostForm.Get("token"), h.token) {
		return &refusal{status: http.StatusForbidden, why: "this page is older than the program that serves it: load it again"}
	}
	return nil
}

// refuse logs a refusal and tells the person, without any effect else.
func (h *server) refuse(w http.ResponseWriter, r *http.Request, no *refusal) {
	if say, unsaid := h.refused.count(no.why, h.Clock()); say {
		h.Log.WarnContext(r.Context(), "refused a request", "why", no.why, "status", no.status, "method", short(r.Method), "path", short(r.URL.Path),
			"host", short(r.Host), "from", r.RemoteAddr, "more_since_the_last_line", unsaid)
	}
	if no.status == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", `Basic realm="exactduck", charset="UTF-8"`)
	}
	if no.after > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(int(no.after.Seconds()+1)))
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(no.status)
	_, _ = w.Write([]byte(no.why + "\n")) // who has gone needs no answer
}

// short keeps what a stranger sends from filling the log.
func short(text string) string {
	if len(text) > 200 {
		return strings.ToValidUTF8(text[:200], "") + "…"
	}
	return text
}

// locks slow down who tries passwords: after some wrong ones an address, or a known browser, waits before
// its next is even looked at, and longer each time. The zero value has seen nobody.
type locks struct {
	mu   sync.Mutex
	seen map[string]*tries
}

type tries struct {
	wrong int
	until time.Time // nothing is looked at before
	last  time.Time
}

// The rules of locks.
const (
	freeTries   = 4
	longestWait = time.Minute
	forgotten   = 15 * time.Minute // after the last wrong password
	mostSeen    = 4096             // addresses
)

// neighbourhood is what one person has: an address, or in IPv6 a network.
func neighbourhood(a netip.Addr) netip.Prefix {
	bits := a.BitLen()
	if a.Is6() {
		bits = 64
	}
	p, _ := a.WithZone("").Prefix(bits) // cannot fail
	return p
}

func (l *locks) wait(who string, now time.Time) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	t := l.seen[who]
	if t == nil {
		return 0
	}
	return t.until.Sub(now)
}

func (l *locks) forget(who string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.seen, who)
}

func (l *locks) wrong(who string, now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.seen == nil {
		l.seen = map[string]*tries{}
	}
	for of, t := range l.seen {
		if now.Sub(t.last) > forgotten {
			delete(l.seen, of)
		}
	}
	t := l.seen[who]
	if t == nil {
		if len(l.seen) >= mostSeen {
			clear(l.seen) // somebody has very many addresses: remembering some does not stop them
		}
		t = &tries{}
		l.seen[who] = t
	}
	t.wrong, t.last = t.wrong+1, now
	if over := t.wrong - freeTries; over > 0 {
		t.until = now.Add(min(longestWait, time.Second<<min(over-1, 10)))
	}
}
