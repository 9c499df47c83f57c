package spool

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"exactduck/schema"
)

var allTypes = &schema.Table{
	Service: "crm", Name: "Accounts", Scope: schema.Column{Name: "_division", Type: schema.Integer},
	Key: []string{"ID"}, Version: "Timestamp",
	Columns: []schema.Column{
		{Name: "Timestamp", Type: schema.BigInt},
		{Name: "Blocked", Type: schema.Boolean},
		{Name: "Level", Type: schema.UTinyInt},
		{Name: "Small", Type: schema.SmallInt},
		{Name: "Number", Type: schema.Integer},
		{Name: "Rate", Type: schema.Double},
		{Name: "ID", Type: schema.UUID, Source: "Edm.Guid"},
		{Name: "Amount", Type: schema.Decimal},
		{Name: "Modified", Type: schema.Timestamp},
		{Name: "Name", Type: schema.Varchar},
		{Name: "Logo", Type: schema.Blob},
		{Name: "More", Type: schema.JSON},
	},
}

func header() Header {
	return Header{
		Stream: "crm/Accounts", Variant: "sync/CRM/Accounts", Fingerprint: "f1", Epoch: "e", RunID: "r", Scope: "123456",
		Table: allTypes, Mode: Merge, From: "7", HistoryFrom: "2020-01-01", Began: time.Date(2026, 11, 21, 2, 0, 0, 5, time.UTC),
	}
}

// page returns rows rows of all types, a third of the values NULL.
func page(r *rand.Rand, rows int, next string, done bool) *schema.Page {
	p := schema.NewPage(allTypes, "123456", rows)
	p.Rows, p.Next, p.Done = rows, schema.Position(next), done
	vectors := []*schema.Vector{&p.Extra}
	for i := range p.Columns {
		vectors = append(vectors, &p.Columns[i])
	}
	for _, v := range vectors {
		for range rows {
			fill(r, v)
		}
	}
	return p
}

func fill(r *rand.Rand, v *schema.Vector) {
	if r.IntN(3) == 0 {
		v.AppendNull()
		return
	}
	switch v.Type {
	case schema.Double:
		v.AppendFloat(r.NormFloat64())
	case schema.UUID:
		v.AppendUUID([16]byte{byte(r.Uint32()), 15: byte(r.Uint32())})
	case schema.Varchar, schema.JSON:
		v.AppendText([]byte(strings.Repeat("é ", r.IntN(9))))
	case schema.Blob:
		v.AppendText([]byte{0xff, 0, byte(r.Uint32())})
	default:
		for taken := false; !taken; {
			taken = v.AppendInt(int64(r.Uint64()) >> r.IntN(64))
		}
	}
}

func spooled(t *testing.T, pages ...*schema.Page) *File {
	t.Helper()
	f, err := Create(t.TempDir(), header())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	for _, p := range pages {
		if err := f.Append(p); err != nil {
			t.Fatal(err)
		}
	}
	return f
}

func read(t *testing.T, f *File) []*schema.Page {
	t.Helper()
	var pages []*schema.Page
	for p, err := range f.Read() {
		if err != nil {
			t.Fatal(err)
		}
		pages = append(pages, p)
	}
	return pages
}

// same compares pages by what they hold, not by the room that their slices have.
func same(t *testing.T, want, got []*schema.Page) {
	t.Helper()
	if d := cmp.Diff(want, got, cmpopts.EquateEmpty()); d != "" {
		t.Fatalf("pages differ (-want +got):\n%s", d)
	}
}

func TestPagesComeBackAsTheyWent(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	var want []*schema.Page
	for _, rows := range []int{0, 1, 7, 8, 9, 1000} {
		want = append(want, page(r, rows, "p", rows == 1000))
	}
	want[2].Unknown, want[2].Misfits = []string{"A", "B"}, []string{"Amount"}
	f := spooled(t, want...)
	same(t, want, read(t, f))

	again, err := Open(f.Path())
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	same(t, want, read(t, again))
	h := header()
	h.ID = f.Header().ID
	if d := cmp.Diff(h, again.Header()); d != "" || h.ID == "" {
		t.Errorf("header differs (-want +got):\n%s", d)
	}
	if again.Rows() != 1025 || again.Pages() != 6 || !again.Done() || again.Resume() != "p" {
		t.Errorf("rows %d pages %d done %v resume %q", again.Rows(), again.Pages(), again.Done(), again.Resume())
	}
}

func TestReaderDeliversOnlyWantedColumns(t *testing.T) {
	want := page(rand.New(rand.NewPCG(3, 4)), 50, "p", false)
	f := spooled(t, want)
	r := NewReader(func(place int) bool { return place == 6 })
	r.Turn(f)
	var got schema.Page
	if err := r.Next(&got); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(want.Columns[6], got.Columns[6]); d != "" {
		t.Errorf("the key differs:\n%s", d)
	}
	if got.Columns[9].Len() != 0 || got.Extra.Len() != 0 || got.Rows != 50 {
		t.Errorf("more than the key was delivered")
	}
	for range 2 {
		if err := r.Next(&got); !errors.Is(err, io.EOF) {
			t.Fatalf("after the last page: %v", err)
		}
	}
}

func TestTornTailIsCutAtEveryByte(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	first, second := page(r, 3, "one", false), page(r, 2, "two", true)
	f := spooled(t, first)
	begin := f.end
	if err := f.Append(second); err != nil {
		t.Fatal(err)
	}
	whole, err := os.ReadFile(f.Path())
	if err != nil {
		t.Fatal(err)
	}
	for cut := begin; cut < f.end; cut++ {
		for _, tail := range [][]byte{nil, make([]byte, 100)} { // zeros: the file grew before its bytes came
			path := filepath.Join(t.TempDir(), "x.spool")
			if err := os.WriteFile(path, append(bytes.Clone(whole[:cut]), tail...), 0o600); err != nil {
				t.Fatal(err)
			}
			torn, err := Open(path)
			if err != nil {
				t.Fatalf("cut at %d: %v", cut, err)
			}
			if torn.Resume() != "one" || torn.Done() || torn.Rows() != 3 {
				t.Fatalf("cut at %d: resume %q, %d rows", cut, torn.Resume(), torn.Rows())
			}
			if err := torn.Append(second); err != nil {
				t.Fatal(err)
			}
			torn.Close()
			if got, _ := os.ReadFile(path); !bytes.Equal(got, whole) {
				t.Fatalf("cut at %d: the healed file differs from the undisturbed one", cut)
			}
		}
	}
}

func TestEveryDamagedByteIsNoticed(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 8))
	f := spooled(t, page(r, 3, "one", false), page(r, 2, "two", false))
	last := f.end
	if err := f.Append(page(r, 1, "three", true)); err != nil {
		t.Fatal(err)
	}
	whole, err := os.ReadFile(f.Path())
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "x.spool")
	for at := range last {
		spoilt := bytes.Clone(whole)
		spoilt[at] ^= 0x40
		if err := os.WriteFile(path, spoilt, 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := Open(path)
		if err == nil || !strings.Contains(err.Error(), path) {
			t.Fatalf("byte %d: %v", at, err)
		}
	}
}

func TestDamageWhileOpenIsAnErrorOfTheReader(t *testing.T) {
	f := spooled(t, page(rand.New(rand.NewPCG(9, 9)), 3, "one", true))
	file, err := os.OpenFile(f.Path(), os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := file.WriteAt([]byte{0, 1, 2}, f.end-5); err != nil {
		t.Fatal(err)
	}
	if err := file.Close(); err != nil {
		t.Fatal(err)
	}
	var damaged *Damaged
	for _, err := range f.Read() {
		if !errors.As(err, &damaged) || damaged.Path != f.Path() {
			t.Fatalf("got %v", err)
		}
	}
}

func TestFilesArePrivateAndNamesAreSafe(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "spool")
	h := header()
	h.Stream, h.ID = "crm/../Ünsafe name", "id7"
	f, err := Create(dir, h)
	if err != nil {
		t.Fatal(err)
	}
	if want := filepath.Join(dir, "crm.....nsafe.name@123456-id7.spool"); f.Path() != want {
		t.Errorf("path %s, want %s", f.Path(), want)
	}
	for path, want := range map[string]os.FileMode{dir: 0o700, f.Path(): 0o600} {
		if s, err := os.Stat(path); err != nil || s.Mode().Perm() != want {
			t.Errorf("%s: %v %v, want %v", path, s.Mode(), err, want)
		}
	}
	if _, err := Create(dir, h); !errors.Is(err, os.ErrExist) {
		t.Errorf("the same id again: %v", err)
	}
	if err := os.WriteFile(filepath.Join(dir, "dead"+begun), []byte("xd"), 0o600); err != nil {
		t.Fatal(err)
	}
	if paths, err := List(dir); err != nil || len(paths) != 1 || paths[0] != f.Path() {
		t.Errorf("list: %v %v", paths, err)
	}
	if err := f.Remove(); err != nil {
		t.Fatal(err)
	}
	if left, _ := os.ReadDir(dir); len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
	if paths, err := List(filepath.Join(dir, "none")); err != nil || paths != nil {
		t.Errorf("no directory: %v %v", paths, err)
	}
}

func TestAppendRefusesWhatDoesNotBelong(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	other := page(r, 1, "", false)
	other.Scope = "2"
	narrow := page(r, 1, "", false)
	narrow.Table = allTypes.Keys()
	short := page(r, 2, "", false)
	short.Rows = 3
	f := spooled(t)
	for _, p := range []*schema.Page{other, narrow, short} {
		if err := f.Append(p); err == nil {
			t.Error("a page that does not belong was taken")
		}
	}
	if err := f.Append(page(r, 1, "end", true)); err != nil {
		t.Fatal(err)
	}
	if err := f.Append(page(r, 1, "more", true)); err == nil {
		t.Error("a page after the last was taken")
	}
	for _, h := range []Header{{}, {Stream: "a", Scope: "1", Table: allTypes, Mode: "odd"}} {
		if _, err := Create(t.TempDir(), h); err == nil {
			t.Errorf("header %+v was taken", h)
		}
	}
}

func TestFullDiskLeavesTheSpoolAsItWas(t *testing.T) {
	r := rand.New(rand.NewPCG(2, 1))
	f := spooled(t, page(r, 3, "one", false))
	before := f.end
	readOnly, err := os.Open(f.Path())
	if err != nil {
		t.Fatal(err)
	}
	defer readOnly.Close()
	if err := f.put(readOnly, []byte("a frame")); err == nil {
		t.Fatal("a write that failed was taken for done")
	}
	if f.end != before || f.Resume() != "one" {
		t.Errorf("end %d resume %q", f.end, f.Resume())
	}
	if err := f.Append(page(r, 1, "two", false)); err == nil || f.broken == nil {
		t.Error("a spool that could not be repaired takes pages")
	}
}

func FuzzPage(f *testing.F) {
	r := rand.New(rand.NewPCG(1, 2))
	l := layoutOf(allTypes)
	for _, rows := range []int{0, 1, 9} {
		payload, err := l.encode(nil, page(r, rows, "p", true), new([]byte))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(payload)
	}
	f.Fuzz(func(t *testing.T, payload []byte) {
		if len(payload) > 1<<14 {
			return
		}
		var p schema.Page
		var plain []byte
		if l.decode(payload, &p, nil, &plain) != nil {
			return
		}
		// What decodes must be whole: encoding and decoding it again changes nothing.
		again, err := l.encode(nil, &p, new([]byte))
		if err != nil {
			t.Fatal(err)
		}
		var q schema.Page
		if err := l.decode(again, &q, nil, &plain); err != nil || q.Rows != p.Rows || q.Next != p.Next {
			t.Fatalf("%d rows became %d: %v", p.Rows, q.Rows, err)
		}
	})
}

func FuzzFrames(f *testing.F) {
	f.Add(appendFrame(appendFrame(nil, []byte("one")), nil))
	f.Fuzz(func(t *testing.T, text []byte) {
		r := bytes.NewReader(text)
		var buffer bytes.Buffer
		for {
			payload, err := readFrame(r, &buffer)
			if err != nil {
				return
			}
			if len(payload) > len(text) {
				t.Fatal("a frame is longer than its file")
			}
		}
	})
}

func BenchmarkAppend(b *testing.B) {
	p := page(rand.New(rand.NewPCG(1, 2)), 1000, "p", false)
	l := layoutOf(allTypes)
	b.ReportAllocs()
	var frame, plain []byte
	for b.Loop() {
		var err error
		if frame, err = l.encode(frame[:0], p, &plain); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(1000*b.N)/b.Elapsed().Seconds(), "rows/s")
}

func BenchmarkRead(b *testing.B) {
	l := layoutOf(allTypes)
	payload, err := l.encode(nil, page(rand.New(rand.NewPCG(1, 2)), 1000, "p", false), new([]byte))
	if err != nil {
		b.Fatal(err)
	}
	var p schema.Page
	var plain []byte
	b.ReportAllocs()
	for b.Loop() {
		if err := l.decode(payload, &p, nil, &plain); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(1000*b.N)/b.Elapsed().Seconds(), "rows/s")
}
