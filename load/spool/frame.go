package spool

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"strings"
)

const (
	fileMark  = "xdspool\x01"
	frameMark = "\xf5xdp" // no UTF-8, so that text never looks like a frame
	frameHead = 16
	// maxPayload is far beyond the largest answer that the source gives.
	maxPayload = 1 << 30
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Damaged says that a spool holds something else than what was written into it. What can be read
// of it is not to be trusted to be complete; removing the file costs the calls that it holds.
type Damaged struct {
	Path   string
	Offset int64
	Reason string
}

func (d *Damaged) Error() string {
	return fmt.Sprintf("spool file %s is damaged at byte %d: %s", d.Path, d.Offset, d.Reason)
}

// Newer is a spool that a later version of this program has written.
type Newer struct {
	Path   string
	Format int
}

func (n *Newer) Error() string {
	return fmt.Sprintf("spool file %s has format %d, this program knows format %d", n.Path, n.Format, Format())
}

// Format is the format of spools that this program writes.
func Format() int { return int(fileMark[len(fileMark)-1]) }

func appendFrame(to, payload []byte) []byte {
	begin := len(to)
	to = append(append(to, make([]byte, frameHead)...), payload...)
	fillHead(to[begin:])
	return to
}

// fillHead makes a frame of room for its head and the payload behind it.
func fillHead(frame []byte) {
	payload := frame[frameHead:]
	copy(frame, frameMark)
	binary.LittleEndian.PutUint32(frame[4:], uint32(len(payload)))
	binary.LittleEndian.PutUint32(frame[8:], crc32.Checksum(payload, castagnoli))
	binary.LittleEndian.PutUint32(frame[12:], crc32.Checksum(frame[:12], castagnoli))
}

// errNoFrame says that what was read is no frame, or not all of one.
var errNoFrame = errors.New("no complete frame")

// readFrame reads the next frame into buffer, which it grows no faster than bytes arrive. It
// returns io.EOF at the end of r and errNoFrame for anything but a whole frame.
func readFrame(r io.Reader, buffer *bytes.Buffer) ([]byte, error) {
	var head [frameHead]byte
	if n, err := io.ReadFull(r, head[:]); n == 0 && errors.Is(err, io.EOF) {
		return nil, io.EOF
	} else if errors.Is(err, io.ErrUnexpectedEOF) {
		return nil, errNoFrame
	} else if err != nil {
		return nil, err
	}
	length, ok := frameLength(head[:])
	if !ok {
		return nil, errNoFrame
	}
	buffer.Reset()
	n, err := buffer.ReadFrom(io.LimitReader(r, length))
	if err != nil {
		return nil, err
	}
	if n < length || crc32.Checksum(buffer.Bytes(), castagnoli) != binary.LittleEndian.Uint32(head[8:]) {
		return nil, errNoFrame
	}
	return buffer.Bytes(), nil
}

func frameLength(head []byte) (int64, bool) {
	length := binary.LittleEndian.Uint32(head[4:])
	ok := string(head[:4]) == frameMark && length <= maxPayload &&
		crc32.Checksum(head[:12], castagnoli) == binary.LittleEndian.Uint32(head[12:])
	return int64(length), ok
}

// Open opens a spool to read it or to go on with it. It checks every frame and cuts off a last
// one that was not written to its end; what is wrong elsewhere is a [*Damaged].
func Open(path string) (_ *File, err error) {
	file, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return nil, fmt.Errorf("open a spool: %w", err)
	}
	f := &File{path: path}
	if err := errors.Join(f.scan(file), file.Close()); err != nil {
		return nil, err
	}
	return f, nil
}

func (f *File) scan(file *os.File) error {
	r := bufio.NewReaderSize(file, 1<<16)
	var buffer bytes.Buffer
	if err := f.scanHeader(r, &buffer); err != nil {
		return err
	}
	for {
		payload, err := readFrame(r, &buffer)
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case errors.Is(err, errNoFrame):
			return f.cutTail(file)
		case err != nil:
			return fmt.Errorf("read spool file %s: %w", f.path, err)
		}
		h, _, err := decodeHead(payload)
		if err != nil {
			return &Damaged{Path: f.path, Offset: f.end, Reason: err.Error()}
		}
		if f.done {
			return &Damaged{Path: f.path, Offset: f.end, Reason: "a page follows the last one"}
		}
		f.count(frameHead+int64(len(payload)), h)
	}
}

func (f *File) scanHeader(r io.Reader, buffer *bytes.Buffer) error {
	mark := make([]byte, len(fileMark))
	if _, err := io.ReadFull(r, mark); err != nil {
		return &Damaged{Path: f.path, Reason: "it is too short for a spool"}
	}
	if string(mark) != fileMark {
		if strings.HasPrefix(string(mark), fileMark[:len(fileMark)-1]) {
			return &Newer{Path: f.path, Format: int(mark[len(mark)-1])}
		}
		return &Damaged{Path: f.path, Reason: "it is no spool"}
	}
	// The file got its name after its header was synced: a header can be damaged, but not torn.
	text, err := readFrame(r, buffer)
	if err == nil {
		err = json.Unmarshal(text, &f.header)
	}
	if err == nil {
		err = validate(f.header)
	}
	if err != nil {
		return &Damaged{Path: f.path, Offset: int64(len(fileMark)), Reason: "its header cannot be read: " + err.Error()}
	}
	f.layout = layoutOf(f.header.Table)
	f.first = int64(len(fileMark)) + frameHead + int64(len(text))
	f.end = f.first
	return nil
}

// cutTail cuts off what follows the last good frame, unless a good frame hides in it: then it is
// no tail.
func (f *File) cutTail(file *os.File) error {
	size, err := file.Seek(0, io.SeekEnd)
	if err != nil {
		return fmt.Errorf("measure spool file %s: %w", f.path, err)
	}
	if at, err := findFrame(file, f.end+1, size); err != nil {
		return fmt.Errorf("read spool file %s: %w", f.path, err)
	} else if at >= 0 {
		return &Damaged{Path: f.path, Offset: f.end, Reason: fmt.Sprintf("what is there is no page, but another page follows at byte %d", at)}
	}
	if err := errors.Join(file.Truncate(f.end), file.Sync()); err != nil {
		return fmt.Errorf("cut the torn tail of spool file %s: %w", f.path, err)
	}
	return nil
}

// findFrame returns where between from and size a whole frame begins, or -1.
func findFrame(file *os.File, from, size int64) (int64, error) {
	const stretch = 1 << 20
	window := make([]byte, stretch+frameHead)
	for ; from < size; from += stretch {
		n, err := file.ReadAt(window, from)
		if err != nil && !errors.Is(err, io.EOF) {
			return 0, err
		}
		for i := 0; ; i++ {
			next := bytes.Index(window[i:n], []byte(frameMark))
			if next < 0 || i+next >= stretch {
				break
			}
			i += next
			_, err := readFrame(io.NewSectionReader(file, from+int64(i), size-from-int64(i)), new(bytes.Buffer))
			if err == nil {
				return from + int64(i), nil
			}
		}
	}
	return -1, nil
}
