package main

import (
	"flag"
	"os"
	"runtime"
	"strconv"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// TestMain runs the tests, or what a test or a story has started this binary again for, see child.
func TestMain(m *testing.M) {
	if os.Getenv(childDoes) != "" {
		os.Exit(child())
	}
	// Many tests mostly wait, for a second to pass or for a process; -parallel says otherwise.
	if err := flag.Set("test.parallel", strconv.Itoa(2*runtime.GOMAXPROCS(0))); err != nil {
		panic(err)
	}
	testscript.Main(m, map[string]func(){"exactduck": func() { os.Exit(child()) }})
}
