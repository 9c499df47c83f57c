package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/google/uuid"
	"github.com/urfave/cli/v2"

	"exactduck/cmd/exactduck/alert"
	"exactduck/cmd/exactduck/config"
	"exactduck/cmd/exactduck/runs"
	"exactduck/extract"
	"exactduck/extract/mask"
	"exactduck/load"
	"exactduck/load/spool"
	"exactduck/schema"
)

func forgetCommand() command {
	return command{
		name: "forget", usage: "erase a division, an account or a row from every file, and keep it out", args: "[PIPELINE]",
		help: `
Erases a division or an account, or one row with what is part of it (lines, attachments, the same invoice in another
stream), from the working database, what is half read, the published file and the lake, and removes
older published files and snapshots, those that somebody reads from included. It is kept out from then
on. Asks first, or takes --yes, and asks the source nothing.

   exactduck forget --division 123456
   exactduck forget --stream crm/Contacts --key 5b1c2d3e-0000-4000-8000-0123456789ab
   exactduck forget --account 64b04d6d198ce11d0d64ca2a
   exactduck forget --stream exactpay/customers --key 64b04d6d198ce11d0d64ca2b
   exactduck forget --undo --division 123456        have the next sync read it again

The key is the row's, as the published file shows it; several columns are joined with commas. What
stays: that it was forgotten, and when; of a division or account its number, its calls in the ledger of
the day, and what tables of the connection as a whole say of it, exactpay.orders among them; of a row other rows that refer to it,
and the ledger's lines of an invoice or an entry, which have keys of their own.
Files that people have copied elsewhere are out of our reach.`,
		flags: []cli.Flag{
			&cli.StringFlag{Name: "division", Aliases: []string{"account"}, Usage: "the `CODE` of the division, or the id of the account; with --stream where the row is, default: wherever it is", EnvVars: env("division")},
			&cli.StringFlag{Name: "stream", Usage: "the `STREAM` of the row", EnvVars: env("stream")},
			&cli.StringFlag{Name: "key", Usage: "the `KEY` of the row", EnvVars: env("key")},
			&cli.BoolFlag{Name: "undo", Usage: "let a division or account that was forgotten be read again", EnvVars: env("undo")},
			&cli.BoolFlag{Name: "wait", Usage: "wait while a run holds the warehouse", EnvVars: env("wait")},
			yesFlag("erase without asking"),
		},
		do: doForget,
	}
}

func doForget(ctx context.Context, k *call) (*view, error) {
	division, stream, key := k.String("division"), k.String("stream"), k.String("key")
	switch {
	case (stream == "") != (key == ""):
		return nil, &usageError{"--stream and --key go together", "they name a row: exactduck forget --stream crm/Contacts --key …"}
	case stream == "" && division == "":
		return nil, &usageError{"nothing is named", "name a division with --division, an account with --account, or a row with --stream and --key"}
	case k.Bool("undo") && stream != "":
		return nil, &usageError{"a row that was forgotten stays so", "--undo is for --division or --account alone"}
	}
	p, err := k.oneWarehouse()
	if err != nil {
		return nil, err
	}
	b, err := k.books()
	if err != nil {
		return nil, err
	}
	f := load.Forgetting{Scope: schema.Scope(division), Hash: mask.KeyHash}
	if stream != "" {
		if err := b.nameRow(&f, p, stream, key); err != nil {
			return nil, err
		}
	}
	what := "erase " + placeWord(division) + " " + division + " from every file and keep it out"
	if stream != "" {
		what = "erase the row of " + f.Stream + " and its lines from every file and keep them out"
	}
	if k.Bool("undo") {
		return b.remember(ctx, p, f.Scope, k.Bool("wait"))
	}
	if err := k.confirm(ctx, what); err != nil {
		return nil, err
	}
	gone, err := b.forget(ctx, p, f, k.Bool("wait"))
	if err != nil {
		return nil, err
	}
	common, err := commonTables(p)
	if err != nil {
		return nil, err
	}
	return &view{data: gone, text: func(out io.Writer) {
		for _, table := range slices.Sorted(maps.Keys(gone.Tables)) {
			fmt.Fprintf(out, "%8d  %s\n", gone.Tables[table], table)
		}
		fmt.Fprintf(out, "%d rows are erased, and older files that hold them are removed\n", gone.Rows)
		if gone.Rows == 0 && stream != "" {
			fmt.Fprintln(out, "there was no row with this key; should there be one some day, it is kept out")
		}
		if len(common) > 0 && stream == "" {
			fmt.Fprintf(out, "%s: rows there are of no %s in particular, and stay\n", strings.Join(common, ", "), placeWord(division))
		}
		for _, table := range gone.Untold {
			fmt.Fprintf(out, "%s stays as it is: the column that would tell which of its rows go with this one is not read\n", table)
		}
	}}, nil
}

// commonTables are those of a pipeline that belong to its connection as a whole.
func commonTables(p *config.Pipeline) (all []string, err error) {
	choices, err := p.Choices(catalogue)
	for _, c := range choices {
		if c.Stream.Shared {
			all = append(all, c.Stream.Variants[0].Table.FullName())
		}
	}
	return all, err
}

// nameRow finds the tables of a row and of what goes with it, those among them that are not read any more
// or by another pipeline.
func (b *books) nameRow(f *load.Forgetting, p *config.Pipeline, name, key string) error {
	all, err := b.keepers(p)
	if err != nil {
		return err
	}
	known := slices.Clone(vendorOf(p).kind().Streams())
	for _, k := range all[b.config.Connections[p.From].SchemaPrefix] {
		for _, c := range k.choices {
			if !slices.Contains(known, c.Stream) {
				known = append(known, c.Stream)
			}
		}
	}
	var of *extract.Stream
	for _, s := range known {
		if strings.EqualFold(s.Name, name) {
			of = s
		}
	}
	if of == nil {
		if of, _, err = vendorOf(p).kind().Lookup(name); err != nil {
			return err
		}
	}
	for _, s := range known {
		for _, part := range s.PartOf {
			if part.Stream == of.Name {
				f.Lines = append(f.Lines, load.Lines{Stream: s.Name, HeaderKey: part.Column, Table: s.Variants[0].Table})
			}
		}
	}
	f.Stream, f.Table, f.Key = of.Name, of.Variants[0].Table, strings.Split(key, ",")
	if len(f.Table.Key) == 0 {
		return &usageError{name + " has no key by which a row could be kept out", "leave it out of the pipeline, or mask its columns"}
	}
	if len(f.Table.Key) == 1 {
		f.Key = []string{key}
	}
	if len(f.Key) != len(f.Table.Key) {
		return &usageError{"the key of " + name + " is " + strings.Join(f.Table.Key, ", "), "write its values in this order, with commas"}
	}
	for i, column := range f.Table.Key {
		if f.Table.Columns[f.Table.Index(column)].Type != schema.UUID {
			continue
		}
		id, err := uuid.Parse(f.Key[i])
		if err != nil {
			return &usageError{f.Key[i] + " is no " + column + " of " + name, "write it as the published file shows it"}
		}
		f.Key[i] = id.String()
	}
	return nil
}

// forget erases from all that this machine has.
func (b *books) forget(ctx context.Context, p *config.Pipeline, f load.Forgetting, wait bool) (gone load.Forgotten, err error) {
	w, err := b.open(ctx, p, wait)
	if err != nil {
		return gone, err
	}
	defer w.Close()
	run := runID(b.clock())
	if err := b.empty(ctx, w, p, run); err != nil { // it is published
		return gone, err
	}
	if err := b.forgetSpools(ctx, p, f); err != nil {
		return gone, err
	}
	if f.Stream == "" {
		err = b.forgetNotes(ctx, w, f.Scope)
	} else {
		err = runs.ForgetLogs(b.logs(), telling(f.Key)...)
	}
	if err != nil {
		return gone, err
	}
	if gone, err = w.Forget(ctx, f); err != nil {
		return gone, err
	}
	if err := w.Purge(ctx, b.everywhere(p, run)...); err != nil {
		return gone, err
	}
	return gone, w.Close()
}

// telling are the values of a key that are no word by chance, as a GUID is none.
func telling(key []string) []string {
	return slices.DeleteFunc(slices.Clone(key), func(value string) bool { return len(value) < 8 })
}

// forgetSpools removes what is half read of a division, or of the streams of a row.
func (b *books) forgetSpools(ctx context.Context, p *config.Pipeline, f load.Forgetting) error {
	concerned := func(h spool.Header) bool {
		if f.Stream == "" {
			return h.Scope == f.Scope
		}
		return h.Stream == f.Stream || slices.ContainsFunc(f.Lines, func(l load.Lines) bool { return l.Stream == h.Stream })
	}
	for _, name := range b.config.PipelineNames() {
		other := b.config.Pipelines[name]
		if other.From != p.From || other.To.DuckDB != p.To.DuckDB {
			continue
		}
		paths, err := b.allSpools(other)
		if err != nil {
			return err
		}
		for _, path := range paths {
			file, err := spool.Open(path)
			if err != nil {
				return err
			}
			if h := file.Header(); concerned(h) {
				b.log.DebugContext(ctx, "removing spool", "stream", h.Stream, "scope", h.Scope)
				err = file.Remove()
			} else {
				err = file.Close()
			}
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// forgetNotes takes a division out of the records and logs of runs, what receivers were told, and the counts.
func (b *books) forgetNotes(ctx context.Context, w *load.Warehouse, s schema.Scope) error {
	words := []string{string(s)}
	known, err := w.Divisions(ctx)
	if err != nil {
		return err
	}
	for _, d := range known {
		if d.Scope == s && d.Name != "" {
			words = append(words, d.Name)
			if quoted, err := json.Marshal(d.Name); err == nil {
				words = append(words, strings.Trim(string(quoted), `"`))
			}
		}
	}
	err = errors.Join(
		runs.Forget(b.records(), string(s), words...), runs.ForgetLogs(b.logs(), words...), alert.Forget(ctx, alertsDir(b.config), words...),
	)
	if err != nil {
		return err
	}
	c, err := b.counts()
	if err != nil {
		return err
	}
	before := len(c.seen)
	maps.DeleteFunc(c.seen, func(key string, _ counted) bool { return strings.Contains(key, "|"+string(s)+"|") })
	if len(c.seen) == before {
		return nil
	}
	return c.save()
}

// remember lets a division be read again.
func (b *books) remember(ctx context.Context, p *config.Pipeline, s schema.Scope, wait bool) (*view, error) {
	w, err := b.open(ctx, p, wait)
	if err != nil {
		return nil, err
	}
	defer w.Close()
	was, err := w.Remember(ctx, s)
	if err != nil {
		return nil, err
	}
	if !was {
		return nil, &usageError{fmt.Sprintf("%s %s is not forgotten", placeWord(s), s), "there is nothing to undo"}
	}
	return &view{data: map[string]any{"division": s}, text: func(out io.Writer) {
		fmt.Fprintf(out, "%s %s is read again by the next run that chooses it\n", placeWord(s), s)
	}}, w.Close()
}

// leaveForgotten takes out the divisions that are forgotten, and says so of each.
func leaveForgotten(chosen []extract.Place, marks []load.Mark) (left []extract.Place, said []string) {
	for _, place := range chosen {
		at := slices.IndexFunc(marks, func(m load.Mark) bool { return m.Stream == "" && m.Scope == place.Scope })
		if at < 0 {
			left = append(left, place)
			continue
		}
		said = append(said, fmt.Sprintf(`%s %s was forgotten on %s and is not read; "exactduck forget --undo --%[1]s %[2]s" has it read again`,
			placeWord(place.Scope), place.Scope, day(marks[at].At)))
	}
	return left, said
}

// forgottenOf are the rows of a stream in a scope that are kept out.
func forgottenOf(s *extract.Stream, in schema.Scope, marks []load.Mark) mask.Forgotten {
	f := mask.Forgotten{Stream: s.Name, PartOf: map[string][]string{}, Keys: map[string]bool{}}
	meant := map[string]bool{s.Name: true}
	for _, part := range s.PartOf {
		meant[part.Stream] = true
		f.PartOf[part.Column] = append(f.PartOf[part.Column], part.Stream)
	}
	for _, m := range marks {
		if meant[m.Stream] && (m.Scope == "" || m.Scope == in) {
			f.Keys[m.Hash] = true
		}
	}
	return f
}
