package ledger

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"

	"github.com/google/renameio/v2"
)

// A file is two halves of equal size, each with a record. The newer one counts; the next is written
// over the older one. So a process that dies while it writes leaves the record before, readers need
// no lock, and a full disk does not keep what has its place from being written. Nothing is synced
// to disk: the loss of power may cost the last records, and the next answers bring them back.
//
// A record is a line, "exactduck-ledger 1 NUMBER BYTES CRC", and so many bytes of JSON.
const (
	recordLine = "exactduck-ledger 1 %d %d %08x\n"
	firstHalf  = 4096
)

var (
	// errNothing: nothing was written yet.
	errNothing = errors.New("empty")
	errDamaged = errors.New("no record in it is whole")
)

// page is an open file of the ledger.
type page struct {
	*os.File
	half   int    // bytes
	newer  int    // 0 or 1: where the newer record is
	number uint64 // of the newer record; 0: there is none
	newest []byte
	err    error // why there is none
}

func openPage(path string) (*page, error) {
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	content, err := whole(file)
	if err != nil {
		return nil, errors.Join(err, file.Close())
	}
	p := &page{File: file}
	p.parse(content)
	return p, nil
}

func whole(file *os.File) ([]byte, error) {
	about, err := file.Stat()
	if err != nil {
		return nil, err
	}
	content := make([]byte, about.Size())
	_, err = io.ReadFull(file, content)
	return content, err
}

// readAttempts is how often a reader looks again: a record that is being written fails its
// checksum, and both halves do when it is overtaken.
const readAttempts = 10

func readPage(path string, into *Account) error {
	var err error
	for range readAttempts {
		var content []byte
		if content, err = os.ReadFile(path); err != nil {
			return err
		}
		var p page
		p.parse(content)
		if err = p.decode(into); !errors.Is(err, errDamaged) {
			return err
		}
	}
	return err
}

func (p *page) parse(content []byte) {
	p.half = max(len(content)/2, firstHalf)
	if len(bytes.Trim(content, "\x00")) == 0 {
		p.err = errNothing
		return
	}
	p.err = errDamaged
	for i := range 2 {
		number, body := record(content[min(i*p.half, len(content)):min((i+1)*p.half, len(content))])
		if number > p.number {
			p.newer, p.number, p.newest, p.err = i, number, body, nil
		}
	}
}

// record is what a half holds; 0: nothing whole.
func record(half []byte) (number uint64, body []byte) {
	line, rest, found := bytes.Cut(half, []byte{'\n'})
	if !found {
		return 0, nil
	}
	var size, sum uint32
	if n, err := fmt.Sscanf(string(line)+"\n", recordLine, &number, &size, &sum); n != 3 || err != nil {
		return 0, nil
	}
	if int(size) > len(rest) || crc32.ChecksumIEEE(rest[:size]) != sum {
		return 0, nil
	}
	return number, rest[:size]
}

func (p *page) decode(into *Account) error {
	if p.err != nil {
		return p.err
	}
	if err := json.Unmarshal(p.newest, into); err != nil {
		return fmt.Errorf("%w: %w", errDamaged, err)
	}
	return nil
}

// setAside keeps a damaged file for whoever wants to look at it. When that fails it is overwritten.
func (p *page) setAside() {
	_ = os.Rename(p.Name(), p.Name()+".damaged")
	p.number, p.half = 0, 0
}

// write makes content the newest record and returns its number.
func (p *page) write(content []byte) (uint64, error) {
	number := p.number + 1
	if p.number == 0 { // not one that a file before this may have had
		number += uint64(rand.Uint32())
	}
	text := fmt.Appendf(nil, recordLine, number, len(content), crc32.ChecksumIEEE(content))
	text = append(text, content...)
	if len(text) > p.half {
		return number, p.grow(text)
	}
	at := int64(0)
	if p.number > 0 && p.newer == 0 {
		at = int64(p.half)
	}
	if p.number == 0 {
		if err := p.Truncate(int64(2 * p.half)); err != nil {
			return 0, err
		}
	}
	if _, err := p.WriteAt(text, at); err != nil {
		return 0, err
	}
	return number, nil
}

// grow puts a file with larger halves, or a new one, in place of this one.
func (p *page) grow(text []byte) error {
	half := firstHalf
	for half < len(text)+len(text)/2 {
		half *= 2
	}
	pending, err := renameio.NewPendingFile(p.Name(), renameio.WithTempDir(filepath.Dir(p.Name())), renameio.WithStaticPermissions(0o600))
	if err != nil {
		return err
	}
	defer pending.Cleanup() //nolint:errcheck // nothing is left to clean after the rename
	if err := pending.Truncate(int64(2 * half)); err != nil {
		return err
	}
	if _, err := pending.Write(text); err != nil {
		return err
	}
	return pending.CloseAtomicallyReplace()
}
