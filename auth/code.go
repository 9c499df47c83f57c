package auth

import (
	"crypto/subtle"
	"errors"
	"net/url"
	"strings"
)

// ErrCode says that what was given holds no usable code; the error around it says why.
var ErrCode = errors.New("no code")

// ParseCode finds the authorization code in what a person pasted: the whole address that the
// browser ended at, its query, or the bare code. Blanks and quotes around it do not matter. It
// is percent-decoded exactly once: codes contain "!", which arrives as %21. An address must carry
// the state that this login began with; a bare code has none to check.
//
// Errors wrap [ErrCode], or are a [*LoginError] when the login page said no or the state is
// another; none quotes the input.
func ParseCode(input, state string) (string, error) {
	input = strings.Trim(input, " \t\r\n\"'`<>")
	if input == "" {
		return "", codeError("nothing was given")
	}
	_, query, isURL := strings.Cut(input, "?")
	if isURL || strings.Contains(input, "://") || strings.Contains(input, "code=") || strings.Contains(input, "error=") {
		if !isURL {
			query = input
		}
		query, _, _ = strings.Cut(query, "#")
		return codeFromQuery(query, state)
	}
	code, err := url.PathUnescape(input)
	if err != nil || strings.ContainsAny(code, " \t") {
		return "", codeError("this is neither a code nor an address with one; copy it again, whole")
	}
	return code, nil
}

// codeFromQuery reads the query of a redirect. It does not use url.ParseQuery, which would
// turn a bare "+" of a code into a blank.
func codeFromQuery(query, state string) (string, error) {
	fields := map[string]string{}
	for field := range strings.SplitSeq(query, "&") {
		name, value, _ := strings.Cut(field, "=")
		plain, err := url.PathUnescape(value)
		if err != nil {
			plain = ""
		}
		if _, twice := fields[name]; !twice {
			fields[name] = plain
		}
	}
	if fields["error"] != "" {
		words := fields["error"] + " " + strings.ReplaceAll(fields["error_description"], "+", " ")
		return "", &LoginError{Cause: Denied, Detail: scrub(words, Secret(fields["code"]))}
	}
	switch {
	case fields["client_id"] != "":
		return "", codeError("this is the address of the login page; the one that the browser shows after logging in is needed")
	case fields["code"] == "":
		return "", codeError("the address holds no code; copy it again, whole")
	case subtle.ConstantTimeCompare([]byte(fields["state"]), []byte(state)) == 0:
		return "", &LoginError{Cause: WrongState}
	}
	return fields["code"], nil
}

type codeProblem string

func codeError(problem string) error { return codeProblem(problem) }

func (p codeProblem) Error() string { return string(p) }

func (p codeProblem) Unwrap() error { return ErrCode }
