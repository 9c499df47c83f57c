package auth_test

import (
	"errors"
	"strings"
	"testing"

	"exactduck/auth"
)

func TestParseCode(t *testing.T) {
	const state = "S+T/A=TE"
	at := "https://localhost:8585/callback?"
	for _, c := range []struct {
		name, input, want string
		cause             auth.Cause
		problem           string
	}{
		{name: "address", input: at + "code=stamp.AB%21cd&state=S%2BT%2FA%3DTE", want: "stamp.AB!cd"},
		{name: "not encoded", input: at + "code=stamp.AB!cd&state=S+T/A=TE", want: "stamp.AB!cd"},
		{name: "decoded once only", input: at + "code=a%2521&state=S%2BT%2FA%3DTE", want: "a%21"},
		{name: "plus is no blank", input: at + "code=a+b&state=S+T/A=TE", want: "a+b"},
		{name: "fragment", input: at + "state=S+T/A=TE&code=a#_=_", want: "a"},
		{name: "query alone", input: "code=a%21b&state=S+T/A=TE", want: "a!b"},
		{name: "quoted", input: " \"" + at + "code=a&state=S+T/A=TE\" \n", want: "a"},
		{name: "bare", input: "stamp.AB!cd", want: "stamp.AB!cd"},
		{name: "bare, encoded", input: "'stamp.AB%21cd'\r\n", want: "stamp.AB!cd"},
		{name: "bare, encoded twice", input: "a%2521", want: "a%21"},
		{name: "bare with padding", input: "abc==", want: "abc=="},
		{name: "nothing", input: " \"\" ", problem: "nothing"},
		{name: "bad percent", input: "a%2", problem: "copy it again"},
		{name: "prose", input: "I clicked yes", problem: "copy it again"},
		{name: "no code", input: "https://localhost:8585/callback", problem: "no code"},
		{name: "cut code", input: at + "code=a%2&state=S+T/A=TE", problem: "no code"},
		{name: "login page", input: "https://start.exactonline.nl/api/oauth2/auth?client_id=x&state=S+T/A=TE", problem: "login page"},
		{name: "another state", input: at + "code=a&state=b", cause: auth.WrongState},
		{name: "no state", input: at + "code=a", cause: auth.WrongState},
		{name: "denied", input: at + "error=access_denied&error_description=no+thanks", cause: auth.Denied, problem: "no thanks"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := auth.ParseCode(c.input, state)
			if got != c.want {
				t.Errorf("code %q, want %q", got, c.want)
			}
			var login *auth.LoginError
			switch {
			case c.cause != "":
				if !errors.As(err, &login) || login.Cause != c.cause {
					t.Errorf("error %v, want cause %s", err, c.cause)
				}
			case c.problem != "":
				if !errors.Is(err, auth.ErrCode) {
					t.Errorf("error %v wraps no ErrCode", err)
				}
			case err != nil:
				t.Error(err)
			}
			if err != nil && !strings.Contains(err.Error(), c.problem) {
				t.Errorf("%q does not say %q", err, c.problem)
			}
		})
	}
}

func FuzzParseCode(f *testing.F) {
	f.Add("https://localhost/?code=a%21&state=s")
	f.Add("a%21b")
	f.Add("error=x&code=%")
	f.Fuzz(func(t *testing.T, input string) {
		code, err := auth.ParseCode(input, "s")
		if (code == "") == (err == nil) {
			t.Errorf("code %q and error %v", code, err)
		}
	})
}
