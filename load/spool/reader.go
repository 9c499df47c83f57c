package spool

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"

	"exactduck/schema"
)

// Reader reads the pages that were on disk when it was made, into memory that it is given. It
// does nothing but read the file, so it may be used where no goroutine can be waited for.
type Reader struct {
	file   *File
	want   func(place int) bool
	from   *bufio.Reader
	at     int64
	frame  bytes.Buffer
	plain  []byte
	rotten error
}

// Reader begins at the first page. It delivers the columns, by their place in the table, that
// want names, and Extra as the place behind the last; nil wants all. Columns of the key and the
// version alone cost a fraction of a whole page.
func (f *File) Reader(want func(place int) bool) *Reader {
	pages := io.NewSectionReader(f.file, f.first, f.end-f.first)
	return &Reader{file: f, want: want, from: bufio.NewReaderSize(pages, 1<<16), at: f.first}
}

// Next reads the next page into p, using p's memory again where it can; io.EOF follows the last.
// After an error it only repeats it.
func (r *Reader) Next(p *schema.Page) error {
	if r.rotten != nil {
		return r.rotten
	}
	r.rotten = r.next(p)
	return r.rotten
}

func (r *Reader) next(p *schema.Page) error {
	payload, err := readFrame(r.from, &r.frame)
	if err == nil {
		p.Scope = r.file.header.Scope
		err = r.file.layout.decode(payload, p, r.want, &r.plain)
	}
	switch {
	case errors.Is(err, errNoFrame), errors.Is(err, errPage):
		return &Damaged{Path: r.file.path, Offset: r.at, Reason: err.Error()}
	case err != nil && !errors.Is(err, io.EOF):
		return fmt.Errorf("read spool file %s: %w", r.file.path, err)
	}
	r.at += frameHead + int64(len(payload))
	return err
}
