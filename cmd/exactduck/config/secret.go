package config

import (
	"errors"
	"fmt"
	"os"
	"regexp"
	"strings"
	"unicode/utf8"
)

// Secret is where to find a value that does not belong in the file: ${VARIABLE} or file:PATH, or
// the value itself. It prints as what it refers to and never as the value.
type Secret string

var variable = regexp.MustCompile(`^\$\{([A-Za-z_][A-Za-z0-9_]*)\}$`)

// largest is far beyond any id or secret; what is larger is the wrong file.
const largestSecret = 16 << 10

// String keeps a literal secret out of messages.
func (s Secret) String() string {
	if s == "" || !s.literal() {
		return string(s)
	}
	return "(hidden)"
}

// GoString does the same for %#v.
func (s Secret) GoString() string { return s.String() }

func (s Secret) literal() bool {
	return !variable.MatchString(string(s)) && !strings.HasPrefix(string(s), "file:")
}

func (s Secret) problem() error {
	switch {
	case s == "":
		return errors.New("is missing")
	case strings.Contains(string(s), "${") && !variable.MatchString(string(s)):
		return errors.New("refers to a variable in a way that is not understood; the whole value must be ${NAME}")
	case s == "file:":
		return errors.New("file: names no file")
	}
	return nil
}

// SecretError reports a secret that could not be had. It never holds the value.
type SecretError struct {
	Path         string // of the configuration
	Line, Column int
	Key          string // connections.books.client_secret
	Variable     string // the variable that is not set, if it is one
	File         string // the file that could not be read, if it is one
	Err          error
}

func (e *SecretError) Error() string {
	what := "cannot read " + e.File + ":"
	if e.Variable != "" {
		what = "the variable " + e.Variable
	}
	return fmt.Sprintf("%s:%d:%d: %s: %s %v", e.Path, e.Line, e.Column, e.Key, what, e.Err)
}

func (e *SecretError) Unwrap() error { return e.Err }

// Credentials finds the client id and secret of a connection; lookup is os.LookupEnv or a stand-in.
// Errors are of type *[SecretError].
func (c *Config) Credentials(connection string, lookup func(string) (string, bool)) (id, secret string, err error) {
	conn := c.Connections[connection]
	if id, err = c.resolve(connection, "client_id", conn.ClientID, lookup); err != nil {
		return "", "", err
	}
	secret, err = c.resolve(connection, "client_secret", conn.ClientSecret, lookup)
	return id, secret, err
}

// Token finds the application token that a connection is given; "" when it names none. Errors are of
// type *[SecretError].
func (c *Config) Token(connection string, lookup func(string) (string, bool)) (string, error) {
	token := c.Connections[connection].Token
	if token == "" {
		return "", nil
	}
	return c.resolve(connection, "token", token, lookup)
}

// TokenKey finds the key of the login of a connection; "" when it names none. Errors are of type
// *[SecretError].
func (c *Config) TokenKey(connection string, lookup func(string) (string, bool)) (string, error) {
	key := c.Connections[connection].TokenKey
	if key == "" {
		return "", nil
	}
	return c.resolve(connection, "token_key", key, lookup)
}

func (c *Config) resolve(connection, key string, s Secret, lookup func(string) (string, bool)) (string, error) {
	return c.resolveAt(s, lookup, "connections", connection, key)
}

// secretFailure is an error about the secret at a place in the file.
func (c *Config) secretFailure(at ...any) *SecretError {
	where := c.source.value(at...)
	return &SecretError{Path: c.source.name, Line: where.line, Column: where.column, Key: path(at).String()}
}

// resolveAt finds the secret that stands at a place in the file.
func (c *Config) resolveAt(s Secret, lookup func(string) (string, bool), at ...any) (string, error) {
	failure := c.secretFailure(at...)
	if name := variable.FindStringSubmatch(string(s)); name != nil {
		value, ok := lookup(name[1])
		if value = strings.TrimSpace(value); ok && value != "" {
			return value, nil
		}
		failure.Variable, failure.Err = name[1], errors.New("is not set")
		return "", failure
	}
	path, isFile := strings.CutPrefix(string(s), "file:")
	if !isFile {
		return string(s), nil
	}
	failure.File = c.absolute(path)
	value, err := readSecret(failure.File)
	if err != nil {
		failure.Err = err
		return "", failure
	}
	return value, nil
}

func readSecret(path string) (string, error) {
	file, err := os.Stat(path)
	switch {
	case err != nil:
		return "", cause(err)
	case !file.Mode().IsRegular():
		return "", errors.New("it is not a file")
	case file.Size() > largestSecret:
		return "", errors.New("it is too large to be a secret")
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return "", cause(err)
	}
	value := strings.TrimSpace(string(text))
	if value == "" || !utf8.ValidString(value) {
		return "", errors.New("it holds no text")
	}
	return value, nil
}

// cause takes the path off an error of package os: the message has it already.
func cause(err error) error {
	if path, ok := errors.AsType[*os.PathError](err); ok {
		return path.Err
	}
	return err
}
