package doctor

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestChecksThatNeedOthersAreLeftOut(t *testing.T) {
	looked := map[string]bool{}
	check := func(name, about string, v Verdict, needs ...string) Check {
		return Check{Name: name, About: about, Needs: needs, Look: func(context.Context) Verdict {
			looked[about+" "+name] = true
			return v
		}}
	}
	got, err := Examine(t.Context(), []Check{
		check("config", "", Well("read")),
		check("login", "a", Wrong(errors.New("none")), "config"),
		check("login", "b", Doubtful("old", "use it"), "config"),
		check("divisions", "a", Well("1"), "login"),
		check("divisions", "b", Well("1"), "login"),
		check("stream", "a", Well("1"), "divisions"),
	})
	if err != nil {
		t.Fatal(err)
	}
	want := []Result{Pass, Fail, Warn, Skip, Pass, Skip}
	for i, o := range got {
		if o.Result != want[i] || o.Finding == "" || looked[o.About+" "+o.Name] != (want[i] != Skip) {
			t.Errorf("%s %s: %+v, want %s", o.About, o.Name, o.Verdict, want[i])
		}
	}
	ended, cancel := context.WithCancelCause(t.Context())
	why := errors.New("enough")
	cancel(why)
	if got, err := Examine(ended, []Check{check("config", "", Well(""))}); !errors.Is(err, why) || len(got) != 0 {
		t.Errorf("after the end: %v, %v", got, err)
	}
}

func TestWritable(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]Result{
		dir: Pass, filepath.Join(dir, "not", "yet"): Pass, file: Fail, filepath.Join(file, "below"): Fail, "/proc": Fail,
	} {
		if got := (Folder{Path: path}).Writable(); got.Result != want || (want == Fail) != (got.Err != nil) {
			t.Errorf("%s: %+v, want %s", path, got, want)
		}
	}
	left, err := os.ReadDir(dir)
	if err != nil || len(left) != 1 {
		t.Errorf("left %v, %v", left, err)
	}
}

func TestFileSystems(t *testing.T) {
	state, lake := Folder{Path: t.TempDir(), Locked: true}, Folder{Path: t.TempDir()}
	for kind, want := range map[string]Result{"nfs": Warn, "cifs": Warn, "fuse": Warn, "9p": Warn, "tmpfs": Warn, "ext4": Pass, "": Pass} {
		is := func(string) (string, error) { return kind, nil }
		if got := state.sane(is); got.Result != want || (want == Warn) != (got.Advice != "") {
			t.Errorf("%s: %+v", kind, got)
		}
		if got := lake.sane(is); got.Result != want || strings.Contains(got.Advice, "state_dir") {
			t.Errorf("%s: %+v", kind, got)
		}
	}
	if got := state.Sane(); got.Result == Fail || got.Result == Skip {
		t.Errorf("here: %+v", got)
	}
	broken := func(string) (string, error) { return "", syscall.EIO }
	if got := state.sane(broken); !errors.Is(got.Err, syscall.EIO) {
		t.Errorf("broken: %+v", got)
	}
}

func TestRoom(t *testing.T) {
	const giga = 1 << 30
	for _, c := range []struct {
		room Room
		want Result
	}{
		{Room{Free: giga}, Pass},
		{Room{Free: 32 << 20}, Warn},
		{Room{Free: 1 << 20}, Fail},
		{Room{Free: giga, Held: 2 * giga, Size: giga}, Pass},
		{Room{Free: giga, Held: giga, Size: giga}, Warn},
		{Room{Free: giga - 1, Held: 2 * giga, Size: giga}, Fail},
	} {
		got := c.room.Enough()
		if got.Result != c.want || (c.want == Fail) != errors.Is(got.Err, syscall.ENOSPC) {
			t.Errorf("%+v: %+v, want %s", c.room, got, c.want)
		}
	}
	if free, err := (Folder{Path: t.TempDir()}).Free(); err != nil || free == 0 {
		t.Errorf("here: %d, %v", free, err)
	}
}

func TestClock(t *testing.T) {
	noon := time.Date(2026, 6, 30, 12, 0, 0, 300e6, time.UTC)
	later := noon.Add(2 * time.Second)
	for offset, want := range map[time.Duration]string{
		0: "agrees", -5 * time.Second: "no harm", 5 * time.Second: "no harm", time.Hour: "behind", -time.Hour: "ahead",
	} {
		got := Clock(noon, later, noon.Add(offset).Truncate(time.Second))
		if !strings.Contains(got.Finding, want) || (got.Result == Warn) != (got.Advice != "") {
			t.Errorf("%s: %+v, want %q", offset, got, want)
		}
	}
	if got := Clock(noon, later, time.Time{}); got.Result != Skip {
		t.Errorf("no date: %+v", got)
	}
}
