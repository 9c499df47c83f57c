package config

import (
	"fmt"
	"net"
	"strconv"
	"strings"
)

// Serve is what "exactduck serve" shows, and to whom. It changes nothing that is loaded.
type Serve struct {
	// Listen is the address of the status page, a host and a port. Default 127.0.0.1:8586, which only
	// this machine can reach; off: no page. Any other address takes a password.
	Listen string `yaml:"listen"`
	// User is who may see the page, beside the password. Default exactduck.
	User string `yaml:"user"`
	// Password is what the page asks for, at least 12 characters: ${VARIABLE} or file:PATH, and never
	// the password itself. Default: none, and the page is for this machine alone.
	Password Secret `yaml:"password"`
}

// The defaults that the fields of [Serve] speak of, and the word for no page at all.
const (
	DefaultListen = "127.0.0.1:8586"
	DefaultUser   = "exactduck"
	NoPage        = "off"
)

// shortestPassword is how many characters the password of the page has at least: who can reach the page
// can try many.
const shortestPassword = 12

// ServePassword finds the password of the status page; "" when the file names none. Errors are of type
// *[SecretError].
func (c *Config) ServePassword(lookup func(string) (string, bool)) (string, error) {
	s := c.Serve.Password
	if s == "" {
		return "", nil
	}
	password, err := c.resolveAt(s, lookup, "serve", "password")
	if err == nil && len(password) < shortestPassword {
		failure := c.secretFailure("serve", "password")
		failure.Variable, failure.File = s.source(c)
		failure.Err = fmt.Errorf("is shorter than %d characters and could be guessed", shortestPassword)
		return "", failure
	}
	return password, err
}

// Private reports whether only this machine can reach a host and port.
func Private(listen string) bool {
	host, _, err := net.SplitHostPort(listen)
	return err == nil && Loopback(host)
}

// listenProblem says what is wrong with an address to listen on; "": nothing.
func listenProblem(listen string) string {
	host, port, err := net.SplitHostPort(listen)
	if err != nil {
		return "is no host and port"
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 && !Loopback(host) {
		return "has no port that can be listened on"
	}
	if strings.ContainsAny(host, " /@") {
		return "is no host and port"
	}
	return ""
}

func (k *checker) serve(at path, s Serve) {
	const write = "write password: ${EXACTDUCK_PASSWORD} or file:PATH"
	if s.Listen != NoPage {
		if problem := listenProblem(s.Listen); problem != "" {
			k.report(at.to("listen"), "write it like "+DefaultListen+", or off", "%q %s", s.Listen, problem)
		} else if s.Password == "" && !Private(s.Listen) {
			k.report(at.to("password"), write+", or listen: "+DefaultListen, "is missing, and others than this machine can reach %s", s.Listen)
		}
	}
	if strings.Contains(s.User, ":") {
		k.report(at.to("user"), "write a name such as "+DefaultUser, "cannot have a colon in it")
	}
	switch problem := s.Password.problem(); {
	case s.Password == "":
	case problem != nil:
		k.report(at.to("password"), write, "%v", problem)
	case s.Password.literal():
		k.report(at.to("password"), write, "must not be written into this file")
	}
}
