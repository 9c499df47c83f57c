package main

import (
	"os"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// TestMain runs the tests, or what a test or a story has started this binary again for, see child.
func TestMain(m *testing.M) {
	if os.Getenv(childDoes) != "" {
		os.Exit(child())
	}
	testscript.Main(m, map[string]func(){"exactduck": func() { os.Exit(child()) }})
}
