package main

import (
	"slices"
	"strings"

	"github.com/urfave/cli/v2"
)

// sorted puts the flags of a command line before its arguments, where the library wants them, so
// that people may write them in any order. What follows "--" is left alone.
func sorted(args []string) []string {
	depth, flags := commandOf(args)
	var before, after []string
	dashed := false // among the arguments
	for i := depth; i < len(args); i++ {
		arg := args[i]
		switch {
		case arg == "--":
			return slices.Concat(args[:depth], before, after, args[i:])
		case !strings.HasPrefix(arg, "-") || arg == "-":
			after = append(after, arg)
		case isComment(flags, arg):
			after, dashed = append(after, arg), true
		default:
			before = append(before, arg)
			if takesValue(flags, arg) && i+1 < len(args) {
				i++
				before = append(before, args[i])
			}
		}
	}
	if dashed {
		before = append(before, "--")
	}
	return slices.Concat(args[:depth], before, after)
}

// isComment reports whether a word that begins like a flag is SQL that begins with a comment: a flag
// has no blanks, but in its value.
func isComment(flags []cli.Flag, arg string) bool {
	name, _, _ := strings.Cut(strings.TrimLeft(arg, "-"), "=")
	known := slices.ContainsFunc(flags, func(f cli.Flag) bool { return slices.Contains(f.Names(), name) })
	return !known && strings.HasPrefix(arg, "--") && strings.ContainsAny(arg, " \t\r\n")
}

// commandOf finds how many of the first words name a command, and the flags that it has.
func commandOf(args []string) (depth int, flags []cli.Flag) {
	depth = len(args)
	longest := 0 // "runs" is a command, and "runs show" is another one
	for _, c := range commands() {
		words := strings.Fields(c.name)
		if len(words) > longest && len(args) > len(words) && slices.Equal(args[1:1+len(words)], words) {
			longest, depth, flags = len(words), 1+len(words), append(c.flags, commonFlags(nil)...)
		}
	}
	return depth, flags
}

func takesValue(flags []cli.Flag, arg string) bool {
	name := strings.TrimLeft(arg, "-")
	if strings.Contains(name, "=") {
		return false
	}
	for _, f := range flags {
		if _, isBool := f.(*cli.BoolFlag); slices.Contains(f.Names(), name) {
			return !isBool
		}
	}
	return false
}
