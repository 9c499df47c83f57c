package main

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/google/renameio/v2"
	"golang.org/x/sync/errgroup"

	"exactduck/cmd/exactduck/config"
	"exactduck/extract"
	"exactduck/schema"
)

// countKept is for how long a count of the source is believed.
const countKept = 24 * time.Hour

// counts are the numbers of rows that the source has counted, in a file of the state directory, so
// that a second plan of the day does not pay for them again.
type counts struct {
	path  string
	clock func() time.Time
	mu    sync.Mutex
	seen  map[string]counted
}

type counted struct {
	Rows int64     `json:"rows"`
	At   time.Time `json:"at"`
}

// counts reads the file. One that cannot be understood is as good as none.
func (b *books) counts() (*counts, error) {
	c := &counts{path: filepath.Join(b.config.State(), "counts.json"), clock: b.clock, seen: map[string]counted{}}
	text, err := os.ReadFile(c.path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	_ = json.Unmarshal(text, &c.seen)
	return c, nil
}

// of is what tells one count from another.
func (c *counts) of(connection string, t *task) string {
	return strings.Join([]string{connection, t.choice.Stream.Name, string(t.place.Scope), moment(t.since), t.filter, t.variant.Query}, "|")
}

func (c *counts) get(key string) (int64, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	n, ok := c.seen[key]
	return n.Rows, ok && c.clock().Sub(n.At) < countKept
}

func (c *counts) put(key string, rows int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.seen[key] = counted{rows, c.clock().UTC()}
}

// save writes down what is still believed.
func (c *counts) save() error {
	for key, n := range c.seen {
		if c.clock().Sub(n.At) >= countKept {
			delete(c.seen, key)
		}
	}
	text, err := json.MarshalIndent(c.seen, "", "  ")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(c.path), 0o700); err != nil {
		return err
	}
	return renameio.WriteFile(c.path, append(text, '\n'), 0o600)
}

// count finds the sizes of the reads of which nobody knows it: from earlier counts, and with ask from
// the source, at one call each.
func (b *books) count(ctx context.Context, p *config.Pipeline, source extract.Source, tasks []*task, ask bool) (map[streamScope]int64, error) {
	c, err := b.counts()
	if err != nil {
		return nil, err
	}
	var todo []*task
	for _, t := range tasks {
		if _, known := c.get(c.of(p.From, t)); t.expected == unknown && !known && ask {
			todo = append(todo, t)
		}
	}
	if len(todo) > 0 {
		err = errors.Join(b.askCounts(ctx, p, source, c, todo), c.save())
	}
	rows := map[streamScope]int64{}
	for _, t := range tasks {
		if n, known := c.get(c.of(p.From, t)); known {
			rows[streamScope{t.choice.Stream.Name, t.place.Scope}] = n
		}
	}
	return rows, err
}

// askCounts asks for several divisions at once. What cannot be counted stays unknown.
func (b *books) askCounts(ctx context.Context, p *config.Pipeline, source extract.Source, c *counts, tasks []*task) error {
	divisions, ctx := errgroup.WithContext(ctx)
	divisions.SetLimit(max(p.AtOnce, 1))
	of := map[schema.Scope][]*task{}
	for _, t := range tasks {
		of[t.place.Scope] = append(of[t.place.Scope], t)
	}
	for _, tasks := range of {
		divisions.Go(func() error {
			for _, t := range tasks {
				n, err := source.Count(ctx, t.countable())
				switch {
				case err == nil:
					c.put(c.of(p.From, t), n)
				case concernsAll(err):
					return err
				case postponed(err):
					return nil
				default:
					b.log.InfoContext(ctx, "a stream cannot be counted", "stream", t.choice.Stream.Name, "scope", t.place.Scope, "error", err)
				}
			}
			return nil
		})
	}
	return divisions.Wait()
}

// countable is the read in the variant that can be counted, if there is one.
func (t *task) countable() extract.Read {
	read := t.read()
	for _, v := range t.choice.Stream.Variants {
		if v.Kind == "standard" {
			read.Variant, read.Table, read.Resume = v, v.Table, ""
		}
	}
	if !read.Variant.Begins() {
		read.Since = time.Time{}
	}
	return read
}
