package main

import (
	"errors"
	"path"
	"strings"
	"time"

	"exactduck/cmd/exactduck/config"
	"exactduck/cmd/exactduck/schedule"
	"exactduck/extract"
)

func checkSchedule(expr string, zone *time.Location) (warnings []string, reason, hint string) {
	spec, err := schedule.Parse(expr, zone)
	if bad, ok := errors.AsType[*schedule.Malformed](err); ok {
		return nil, bad.Reason, bad.Hint
	}
	return spec.Warnings(), "", ""
}

// lookup finds a stream by its name in any catalogue; the error is that of the one whose name it might be.
func lookup(name string) (stream *extract.Stream, forced *extract.Variant, err error) {
	for _, v := range everyVendor() {
		s, forced, problem := v.kind().Lookup(name)
		if problem == nil {
			return s, forced, nil
		}
		if v == vendorNamed(name) {
			err = problem
		}
	}
	return nil, nil, err
}

// match finds the streams that a pattern selects, of all catalogues.
func match(pattern string) (streams []*extract.Stream, err error) {
	for _, v := range everyVendor() {
		found, problem := v.kind().Match(pattern)
		if streams = append(streams, found...); v == vendorNamed(pattern) {
			err = problem
		}
	}
	if len(streams) > 0 {
		err = nil
	}
	return streams, err
}

// streamCalled is the name of the stream that a word of the command line names. A pipeline has some
// that no catalogue knows.
func streamCalled(choices []*config.Choice, word string) (string, error) {
	for _, c := range choices {
		if strings.EqualFold(c.Stream.Name, word) {
			return c.Stream.Name, nil
		}
	}
	stream, _, err := lookup(word)
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
		if _, _, err := lookup(c.Stream.Name); own && err != nil {
			names = append(names, c.Stream.Name)
		}
	}
	streams, err := match(word)
	if err != nil && len(names) == 0 {
		return nil, err
	}
	for _, s := range streams {
		names = append(names, s.Name)
	}
	return names, nil
}
