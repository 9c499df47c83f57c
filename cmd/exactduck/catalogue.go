package main

import (
	"errors"
	"path"
	"strings"
	"time"

	"exactduck/cmd/exactduck/config"
	"exactduck/cmd/exactduck/schedule"
	"exactduck/extract"
	"exactduck/extract/exactonline"
)

// catalogue is what the configuration is checked against.
var catalogue = config.Catalogue{
	Lookup: exactonline.Lookup, Match: exactonline.Match, Streams: exactonline.Streams,
	Call: callFunction, Define: defineStream, CheckFilter: checkFilter,
	TypeNamed: exactonline.TypeNamed, Schedule: checkSchedule,
}

func checkSchedule(expr string, zone *time.Location) (warnings []string, reason, hint string) {
	spec, err := schedule.Parse(expr, zone)
	if bad, ok := errors.AsType[*schedule.Malformed](err); ok {
		return nil, bad.Reason, bad.Hint
	}
	return spec.Warnings(), "", ""
}

func callFunction(name string, params map[string]any, as string) (*extract.Stream, error) {
	s, err := exactonline.Call(name, params, as)
	bad, ok := errors.AsType[*exactonline.BadParameter](err)
	if !ok {
		return s, err
	}
	at := []string{"params", bad.Parameter}
	switch bad.Parameter {
	case "as":
		at = at[1:]
	case "any":
		at = at[:1]
	}
	return nil, config.Misplaced(errors.New(bad.Problem), 0, at...)
}

func defineStream(d config.Definition) (*extract.Stream, error) {
	s, err := exactonline.Define(exactonline.Definition(d))
	if bad, ok := errors.AsType[*exactonline.BadDefinition](err); ok {
		return nil, config.Misplaced(errors.New(bad.Problem), 0, bad.Field)
	}
	return s, err
}

func checkFilter(s *extract.Stream, filter string) error {
	err := exactonline.CheckFilter(s, filter)
	if bad, ok := errors.AsType[*exactonline.BadFilter](err); ok {
		return config.Misplaced(errors.New(bad.Problem), bad.At)
	}
	return err
}

// streamCalled is the name of the stream that a word of the command line names. A pipeline has some
// that no catalogue knows.
func streamCalled(choices []*config.Choice, word string) (string, error) {
	for _, c := range choices {
		if strings.EqualFold(c.Stream.Name, word) {
			return c.Stream.Name, nil
		}
	}
	stream, _, err := exactonline.Lookup(word)
	if err != nil {
		return "", err
	}
	return stream.Name, nil
}

// streamsCalled are those that a word means which may be a pattern.
func streamsCalled(choices []*config.Choice, word string) ([]string, error) {
	var names []string
	for _, c := range choices {
		own, _ := path.Match(strings.ToLower(word), strings.ToLower(c.Stream.Name))
		if _, _, err := exactonline.Lookup(c.Stream.Name); own && err != nil {
			names = append(names, c.Stream.Name)
		}
	}
	streams, err := exactonline.Match(word)
	if err != nil && len(names) == 0 {
		return nil, err
	}
	for _, s := range streams {
		names = append(names, s.Name)
	}
	return names, nil
}
