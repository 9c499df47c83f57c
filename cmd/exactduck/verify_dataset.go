package main

import (
	"context"
	"fmt"

	"exactduck/load"
	"exactduck/schema"
)

// dataset reads the files of the dataset and compares their sums with the manifest. What is spoilt is
// written anew by the publication at the end, which costs no call. A verification of some streams or
// divisions leaves it out.
func (v *verification) dataset(ctx context.Context) error {
	lake := v.pipeline.To.Parquet
	if lake == "" || len(v.o.streams)+len(v.o.divisions) > 0 {
		return nil
	}
	files, spoilt, err := load.SpoiltFiles(ctx, lake)
	if err != nil || files+len(spoilt) == 0 {
		return err
	}
	v.target.Spoilt = spoilt
	if len(spoilt) == 0 {
		v.files = append(v.files, v.stamp("", shared, load.Check{Kind: checkDataset, Result: resultSame, Here: new(int64(files))}))
		return nil
	}
	v.log.WarnContext(ctx, "files of the dataset are not what was written; they are written anew", "files", len(spoilt), "one_of_them", spoilt[0].Path)
	streams := map[tableScope]string{}
	for at, c := range v.planner.cursors {
		streams[tableScope{c.Table, c.Scope}] = at.stream
	}
	for _, s := range spoilt {
		c := v.stamp(streams[tableScope{s.Table, s.Scope}], s.Scope, load.Check{
			Kind: checkDataset, Result: resultMended, Detail: fmt.Sprintf("%s/current/%s: %s; %s", lake, s.Path, s.Reason, replacedInWords(s)),
		})
		c.Table = s.Table
		v.files = append(v.files, c)
	}
	return nil
}

type tableScope struct {
	table string
	scope schema.Scope
}

func replacedInWords(s load.Spoilt) string {
	if s.Table == "" {
		return "it is left out"
	}
	return "written anew"
}

// recordFiles notes what was found of the dataset, in the place of all that was found of it before.
func (v *verification) recordFiles(ctx context.Context) error {
	if len(v.files) == 0 {
		return nil
	}
	k := load.Checked{Scopes: map[schema.Scope]bool{}, Kinds: []string{checkDataset}, Found: v.files}
	for _, c := range v.before {
		if c.Kind == checkDataset {
			k.Streams, k.Scopes[c.Scope] = append(k.Streams, c.Stream), true
		}
	}
	for _, c := range v.files {
		v.found = append(v.found, finding{Check: c})
	}
	return v.warehouse.RecordChecks(ctx, k)
}
