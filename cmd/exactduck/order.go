package main

import (
	"slices"
	"strings"

	"github.com/urfave/cli/v2"
)

// sorted puts the flags of a command line before its arguments, where the library wants them, so
// that people may write them in any order. What follows "--" is left alone,
// and so is a line that a shell wants completed.
func sorted(args []string) []string {
	if len(args) > 0 && args[len(args)-1] == "--generate-bash-completion" {
		return args
	}
	depth, flags := commandOf(args)
	var before, after []string
	for i := depth; i < len(args); i++ {
		arg := args[i]
		switch {
		case arg == "--":
			return slices.Concat(args[:depth], before, after, args[i:])
		case !strings.HasPrefix(arg, "-") || arg == "-":
			after = append(after, arg)
		default:
			before = append(before, arg)
			if takesValue(flags, arg) && i+1 < len(args) {
				i++
				before = append(before, args[i])
			}
		}
	}
	return slices.Concat(args[:depth], before, after)
}

// commandOf finds how many of the first words name a command, and the flags that it has.
func commandOf(args []string) (depth int, flags []cli.Flag) {
	for _, c := range commands() {
		words := strings.Fields(c.name)
		if len(args) > len(words) && slices.Equal(args[1:1+len(words)], words) {
			return 1 + len(words), append(c.flags, commonFlags(nil)...)
		}
	}
	return len(args), nil
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
