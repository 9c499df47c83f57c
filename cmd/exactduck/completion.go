package main

import (
	"context"
	"embed"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"exactduck/cmd/exactduck/config"
	"exactduck/cmd/exactduck/runs"
)

// askingFlag ends a command line that a shell wants completed: the words that are typed, and the one at
// the cursor if it begins with a dash. The shell chooses those that fit among what is printed.
const askingFlag = "--generate-bash-completion"

//go:embed completion
var completionScripts embed.FS

func completionCommand() command {
	return command{
		name: "completion", usage: "teach a shell to complete commands, flags, pipelines, streams and runs", args: "bash|zsh|fish",
		help: `
Prints a script that goes where the shell looks for it, or that it reads when it starts.

   source <(exactduck completion bash)                     in ~/.bashrc
   exactduck completion bash > /etc/bash_completion.d/exactduck
   source <(exactduck completion zsh)                      in ~/.zshrc, behind compinit
   exactduck completion fish > ~/.config/fish/completions/exactduck.fish`,
		do: func(_ context.Context, k *call) (*view, error) {
			script, err := completionScripts.ReadFile("completion/" + k.Args().First())
			if k.Args().Len() != 1 || err != nil {
				return nil, &usageError{"completion takes the name of a shell", "use bash, zsh or fish"}
			}
			return &view{data: map[string]string{"shell": k.Args().First(), "script": string(script)}, text: func(out io.Writer) {
				_, _ = out.Write(script) // the writer keeps its error
			}}, nil
		},
	}
}

// toComplete are the words of a line that a shell wants completed.
func toComplete(args []string) (words []string, asked bool) {
	if len(args) < 2 || args[len(args)-1] != askingFlag {
		return nil, false
	}
	return slices.DeleteFunc(slices.Clone(args[1:len(args)-1]), func(w string) bool { return w == "=" }), true // bash cuts there
}

// suggest prints what the next word may be.
func (a *app) suggest(words []string) int {
	for _, word := range a.suggestions(words) {
		fmt.Fprintln(a.out, word)
	}
	return 0
}

func (a *app) suggestions(words []string) []string {
	c := commandAt(words)
	all := wordsBehind(words)
	if last := len(words) - 1; last >= 0 && strings.HasPrefix(words[last], "-") {
		var over bool
		if all, over = a.flagged(c, words); !over {
			return all
		}
	}
	switch {
	case c.name == "completion":
		all = append(all, "bash", "zsh", "fish")
	case c.name == "runs show":
		all = append(all, a.runsOf(words)...)
	case strings.Contains(c.args, "PIPELINE"):
		all = append(all, a.pipelinesOf(words)...)
	}
	return all
}

// flagged are the flags that the last word may become and the values that it may get. It may also be over:
// then an argument may follow.
func (a *app) flagged(c command, words []string) (all []string, over bool) {
	last := words[len(words)-1]
	name, _, valued := strings.Cut(last, "=")
	all = c.flagsLike(last)
	whole := slices.Contains(all, last)
	if !valued {
		if takesValue(c.allFlags(), last) {
			return append(all, a.valuesOf(c, name, words)...), false
		}
		return all, whole
	}
	for _, value := range a.valuesOf(c, name, words) {
		all = append(all, name+"="+value)
	}
	return all, true
}

// commandAt is the command that the words begin with, or none.
func commandAt(words []string) (found command) {
	for _, c := range commands() {
		name := strings.Fields(c.name)
		if len(name) > len(strings.Fields(found.name)) && len(words) >= len(name) && slices.Equal(words[:len(name)], name) {
			found = c
		}
	}
	return found
}

// wordsBehind are the words that, behind these, make a command.
func wordsBehind(words []string) []string {
	var all []string
	for _, c := range commands() {
		name := strings.Fields(c.name)
		if len(name) > len(words) && slices.Equal(name[:len(words)], words) && !slices.Contains(all, name[len(words)]) {
			all = append(all, name[len(words)])
		}
	}
	return all
}

// allFlags are those that a command takes; none but help and version without a command.
func (c command) allFlags() []cli.Flag {
	if c.name == "" {
		return []cli.Flag{cli.HelpFlag, cli.VersionFlag}
	}
	return slices.Concat([]cli.Flag{cli.HelpFlag}, c.flags, commonFlags(c.formats))
}

func (c command) flagsLike(begun string) []string {
	var all []string
	for _, f := range c.allFlags() {
		name := "--" + f.Names()[0]
		if len(f.Names()[0]) == 1 {
			name = name[1:]
		}
		if strings.HasPrefix(name, begun) {
			all = append(all, name)
		}
	}
	return all
}

// valuesOf are what a flag may be set to; none where the shell knows better, as of files.
func (a *app) valuesOf(c command, flag string, words []string) []string {
	if !takesValue(c.allFlags(), flag) {
		return nil
	}
	switch strings.TrimLeft(flag, "-") {
	case "output":
		return append([]string{"table", "json"}, c.formats...)
	case "log-format":
		return []string{"text", "json"}
	case "streams", "stream", "accept-shrink":
		return a.streamsOf(words)
	}
	return nil
}

// configured is the configuration that the words name; nil: it cannot be read, of which nobody is told
// who only pressed a key.
func (a *app) configured(words []string) *config.Config {
	path := "pipelines.yaml"
	if named, set := a.getenv(env("config")[0]); set && named != "" {
		path = named
	}
	for i, w := range words {
		if value, with := strings.CutPrefix(w, "--config="); with {
			path = value
		} else if w == "--config" && i+1 < len(words) {
			path = words[i+1]
		}
	}
	c, err := config.Load(path, catalogue)
	if err != nil {
		return nil
	}
	return c
}

func (a *app) pipelinesOf(words []string) []string {
	if c := a.configured(words); c != nil {
		return c.PipelineNames()
	}
	return nil
}

// streamsOf are the streams of the configuration, or else those of the catalogue.
func (a *app) streamsOf(words []string) []string {
	c := a.configured(words)
	if c == nil {
		var all []string
		for _, v := range everyVendor() {
			for _, s := range v.kind().Streams() {
				all = append(all, s.Name)
			}
		}
		return all
	}
	var all []string
	for _, name := range c.PipelineNames() {
		choices, err := c.Pipelines[name].Choices(catalogue)
		if err != nil {
			continue
		}
		for _, choice := range choices {
			all = append(all, choice.Stream.Name)
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// suggestedRuns is how many runs are suggested, the newest first.
const suggestedRuns = 20

func (a *app) runsOf(words []string) []string {
	c := a.configured(words)
	if c == nil {
		return nil
	}
	all := append([]string{"last"}, c.PipelineNames()...)
	paths, err := runs.List((&books{config: c}).records(), a.clock())
	if err != nil {
		return all
	}
	for _, path := range slices.Backward(paths[max(0, len(paths)-suggestedRuns):]) {
		all = append(all, idOf(path))
	}
	return all
}
