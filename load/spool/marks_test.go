package spool

import (
	"bytes"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"exactduck/schema"
)

// TestMarksComeBack mixes pages with and without marks, and reads them into the same memory.
func TestMarksComeBack(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 3))
	var want []*schema.Page
	marked := int64(0)
	for n, rows := range []int{9, 3, 0, 1000, 8} {
		p := page(r, rows, "p", n == 4)
		if n != 1 {
			p.Out = make([]bool, rows)
			for i := range p.Out {
				if p.Out[i] = r.IntN(3) == 0; p.Out[i] {
					marked++
				}
			}
		}
		want = append(want, p)
	}
	f := spooled(t, want...)
	again, err := Open(f.Path())
	if err != nil {
		t.Fatal(err)
	}
	if f.Marked() != marked || again.Marked() != marked || !again.Done() {
		t.Errorf("%d and %d rows are marked, want %d", f.Marked(), again.Marked(), marked)
	}
	reader := NewReader(func(int) bool { return false })
	var got schema.Page
	for reader.Turn(again); reader.Next(&got) == nil; want = want[1:] {
		if out := want[0].Out; len(out) > 0 && !slices.Equal(out, got.Out) || len(out) == 0 && len(got.Out) > 0 {
			t.Errorf("%d rows: marks differ", got.Rows)
		}
	}
	if len(want) != 0 {
		t.Errorf("%d pages did not come", len(want))
	}
	short := page(r, 2, "p", false)
	short.Out = []bool{true}
	if err := spooled(t).Append(short); err == nil {
		t.Error("a page with too few marks was taken")
	}
}

// TestDoubtComesBack is about what the last page says of the whole read.
func TestDoubtComesBack(t *testing.T) {
	r := rand.New(rand.NewPCG(2, 4))
	for _, doubted := range []bool{false, true} {
		last := page(r, 3, "q", true)
		last.Unproven = doubted
		f := spooled(t, page(r, 3, "p", false), last)
		again, err := Open(f.Path())
		if err != nil {
			t.Fatal(err)
		}
		if f.Unproven() != doubted || again.Unproven() != doubted || read(t, again)[1].Unproven != doubted {
			t.Errorf("doubted %v: %v, and opened again %v", doubted, f.Unproven(), again.Unproven())
		}
	}
	if begun := spooled(t, page(r, 3, "p", false)); begun.Unproven() {
		t.Error("a read that is not done is doubted")
	}
}

// TestSpoolsFromBeforeMarks opens a file that a version without marks has written, and goes on with it.
func TestSpoolsFromBeforeMarks(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("testdata", "unmarked.frames"))
	if err != nil {
		t.Fatal(err)
	}
	r := rand.New(rand.NewPCG(11, 12))
	want := []*schema.Page{page(r, 9, "p", false), page(r, 20, "q", true)}
	want[0].Unknown, want[0].Misfits = []string{"A"}, []string{"Amount"}
	path := filepath.Join(t.TempDir(), "x.spool")
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	same(t, want, read(t, f))
	if f.Header().ID != "before" || !f.Done() || f.Marked() != 0 {
		t.Errorf("header %+v, done %v, %d marked", f.Header(), f.Done(), f.Marked())
	}
	h := header()
	h.ID = "before"
	again, err := Create(t.TempDir(), h)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range want {
		if err := again.Append(p); err != nil {
			t.Fatal(err)
		}
	}
	if now, err := os.ReadFile(again.Path()); err != nil || !bytes.Equal(now, text) {
		t.Errorf("pages without marks are not written as before: %v", err)
	}
}

// TestNothingIsOpenBetweenCalls counts the open files of this process.
func TestNothingIsOpenBetweenCalls(t *testing.T) {
	open := func() int {
		entries, err := os.ReadDir("/dev/fd")
		if err != nil {
			t.Fatal(err)
		}
		return len(entries)
	}
	r := rand.New(rand.NewPCG(4, 4))
	before := open()
	var files []*File
	for range 20 {
		f := spooled(t, page(r, 3, "one", false), page(r, 3, "two", true))
		again, err := Open(f.Path())
		if err != nil {
			t.Fatal(err)
		}
		read(t, again)
		for _, err := range f.Read() {
			if err != nil {
				t.Fatal(err)
			}
			break
		}
		files = append(files, f, again)
	}
	if now := open(); now > before {
		t.Errorf("%d spools hold %d files open", len(files), now-before)
	}
}
