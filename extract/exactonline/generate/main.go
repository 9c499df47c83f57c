// Command generate writes the embedded catalogue of package exactonline. It reads endpoints.json,
// the facts about Exact Online's endpoints as collected from public references, and writes
// catalogue.txt: the same facts, one a line, in the form that the package parses at start-up.
// Run it with: go generate ./extract/exactonline
package main

import (
	_ "embed"
	"fmt"
	"os"
)

//go:embed endpoints.json
var facts []byte

func main() {
	if err := run("catalogue.txt"); err != nil {
		fmt.Fprintln(os.Stderr, "generate:", err)
		os.Exit(1)
	}
}

func run(target string) error {
	text, err := Catalogue(facts)
	if err != nil {
		return err
	}
	return os.WriteFile(target, text, 0o644) //nolint:gosec // a source file, readable by all
}
