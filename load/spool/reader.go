package spool

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"

	"exactduck/schema"
)

// Reader reads the pages of one spool after the other, into memory that it is given. It does
// nothing but read files, one at a time, so it may be used where no goroutine can be waited for.
// Begin with [Reader.Turn].
type Reader struct {
	file   *File
	want   func(place int) bool
	opened *os.File
	from   *bufio.Reader
	at     int64
	frame  bytes.Buffer
	plain  []byte
	rotten error
}

// NewReader makes a reader that delivers the columns, by their place in the table, that want names,
// and Extra as the place behind the last; nil wants all. Columns of the key and the version alone
// cost a fraction of a whole page.
func NewReader(want func(place int) bool) *Reader {
	return &Reader{want: want, rotten: io.EOF, from: bufio.NewReaderSize(nil, 1<<16)}
}

// Turn goes to the first page of f. What is appended to f after that is not read.
func (r *Reader) Turn(f *File) {
	r.Close()
	r.file, r.at, r.rotten = f, f.first, nil
	if r.opened, r.rotten = f.open(os.O_RDONLY); r.rotten == nil {
		r.from.Reset(io.NewSectionReader(r.opened, f.first, f.end-f.first))
	}
}

// Next reads the next page into p, using p's memory again where it can; io.EOF follows the last.
// After an error it only repeats it.
func (r *Reader) Next(p *schema.Page) error {
	if r.rotten == nil {
		if r.rotten = r.next(p); r.rotten != nil {
			r.Close()
		}
	}
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

// Close lets go of the file that is being read, if there is one. It may be called twice.
func (r *Reader) Close() {
	if r.opened != nil {
		_ = r.opened.Close() // nothing was written
		r.opened = nil
	}
}
