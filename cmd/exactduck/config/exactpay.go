package config

import (
	"fmt"
	"net/url"
	"regexp"
	"strings"
)

// environments are the two that Exact Payments has.
var environments = []struct{ name, url string }{
	{"production", "https://api-p2.exactpay.com"},
	{"sandbox", "https://api.exactpaysandbox.com"},
}

func environmentURL(c *Connection) string {
	for _, e := range environments {
		if e.name == c.Environment {
			return e.url
		}
	}
	return ""
}

var (
	payID       = regexp.MustCompile(`^[0-9a-f]{24}$`)
	application = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$`)
)

// exactPay checks what only a connection to Exact Payments has.
func (k *checker) exactPay(at path, c *Connection) {
	k.environment(at, c)
	switch err := c.Token.problem(); {
	case c.Token == "" && c.Application == "":
		k.report(at.to("application"), `write application: and its name at Exact Payments, and log in with "exactduck auth login"; or token: ${EXACTPAY_TOKEN}`, "is missing")
	case c.Token != "" && err != nil:
		k.report(at.to("token"), "write token: ${EXACTPAY_TOKEN} and set that variable", "%v", err)
	}
	if c.Application != "" && !application.MatchString(c.Application) {
		k.report(at.to("application"), "write it as Exact Payments does", "%q cannot be the name of an application", c.Application)
	}
	if c.Organization != "" && !payID.MatchString(c.Organization) {
		k.report(at.to("organization"), "copy it from Exact Payments", "%q is not 24 hexadecimal digits in lower case", c.Organization)
	}
}

// environment checks where the connection leads; complete has put the environment's address into BaseURL.
func (k *checker) environment(at path, c *Connection) {
	from := environmentURL(c)
	switch {
	case c.Environment != "" && from == "":
		k.report(at.to("environment"), "write environment: production or environment: sandbox", "there is no environment %q", c.Environment)
	case c.BaseURL == "":
		k.report(at.to("environment"), "write environment: production or environment: sandbox", "is missing")
	case c.Environment != "" && c.BaseURL != from:
		k.report(at.to("base_url"), "remove one of the two", "base_url and environment are both given")
	case c.Environment == "":
		if problem := addressProblem(c.BaseURL); problem != "" {
			k.report(at.to("base_url"), "write it like https://api.exactpaysandbox.com", "%s", problem)
		} else if u, _ := url.Parse(c.BaseURL); u.Path != "" || u.RawQuery != "" || u.Fragment != "" {
			k.report(at.to("base_url"), "write it like https://api.exactpaysandbox.com", "must end with the host")
		}
	}
}

// accountProblem is divisionProblem for an account.
func accountProblem(entry string) error {
	pattern, _ := but(entry)
	switch {
	case strings.TrimSpace(pattern) == "":
		return errEmptyPlace
	case payID.MatchString(strings.ToLower(pattern)) && !payID.MatchString(pattern):
		return fmt.Errorf("%s is no account: its id has small letters", pattern)
	}
	return nil
}

// lookback checks how far before its cursor a stream is read.
func (k *checker) lookback(at path, d Duration) {
	switch {
	case d.problem != nil:
		k.report(at, "", "%v", d.problem)
	case d.none:
		k.report(at, "write a short one such as 1d", "cannot be none: what changed since without a mark would never be found")
	}
}
