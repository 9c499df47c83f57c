package page

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"strings"
)

// Behind a proxy everybody comes from one address, and wrong passwords of a stranger would keep out all.
// So a browser that has given the right password once gets a cookie, and from then on is slowed down for
// its own wrong ones only. The cookie opens nothing: the password is asked for all the same.
const cookieName = "exactduck_known"

// known is the name that a browser was given, and "" for one that was not, or by another process.
func (h *server) known(r *http.Request) string {
	cookie, err := r.Cookie(cookieName)
	if err != nil {
		return ""
	}
	name, seal, _ := strings.Cut(cookie.Value, ".")
	if !same(seal, h.seal(name)) {
		return ""
	}
	return name
}

// introduce gives a browser a name, unless it has one.
func (h *server) introduce(w http.ResponseWriter, r *http.Request) {
	if h.known(r) != "" {
		return
	}
	name := rand.Text()
	http.SetCookie(w, &http.Cookie{
		Name: cookieName, Value: name + "." + h.seal(name), Path: "/", HttpOnly: true, SameSite: http.SameSiteStrictMode,
		Secure: r.Header.Get("X-Forwarded-Proto") == "https",
	})
}

func (h *server) seal(name string) string {
	mac := hmac.New(sha256.New, []byte(h.secret))
	mac.Write([]byte(name)) // never fails
	return hex.EncodeToString(mac.Sum(nil))
}
