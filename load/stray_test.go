package load

import (
	"database/sql"
	"os"
	"path/filepath"
	"testing"
)

// Who has a published file open to write, and writes after the next night has taken its place, leaves a
// log beside a file that it is not of. It is seen, and taken away.
func TestWhatIsWrittenToAnOldNightIsTakenAway(t *testing.T) {
	dir := t.TempDir()
	night(t, dir, "r1", 0, 10, "1")
	path := filepath.Join(dir, "warehouse.duckdb")
	if err := os.Chmod(path, 0o644); err != nil {
		t.Fatal(err)
	}
	writer, err := sql.Open("duckdb", "?threads=1")
	if err != nil {
		t.Fatal(err)
	}
	defer writer.Close()
	do := func(statement string) {
		t.Helper()
		if _, err := writer.ExecContext(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
	do("ATTACH " + literal(path) + " AS mine")
	night(t, dir, "r2", 10, 10, "1")
	do("DELETE FROM mine.crm.Accounts")
	options := Options{StateDir: filepath.Join(dir, "state"), Target: path}
	count := func() string {
		return query(t, "ATTACH "+literal(path)+" AS p (READ_ONLY); SELECT count(*)::VARCHAR FROM p.crm.Accounts")[0]
	}
	if wal := StrayLog(path); wal != path+".wal" || count() != "0" {
		t.Errorf("beside the file lies %q, and readers see %s rows", wal, count())
	}
	w := open(t, dir) // a run
	if err := RemoveStray(t.Context(), options); err != nil || StrayLog(path) == "" {
		t.Errorf("while a run is on: %v", err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if err := RemoveStray(t.Context(), options); err != nil || StrayLog(path) != "" || count() != "10" {
		t.Errorf("%v; readers see %s rows", err, count())
	}
	do("INSERT INTO mine.crm.Accounts FROM mine.crm.Accounts") // into a file that has no name any more
	if count() != "10" || StrayLog(path) != "" {
		t.Errorf("readers see %s rows", count())
	}
}

// What lies beside a file that we did not put there is somebody else's.
func TestAStrayLogOfAnotherFileStays(t *testing.T) {
	dir := t.TempDir()
	night(t, dir, "r1", 0, 10, "1")
	path := filepath.Join(dir, "warehouse.duckdb")
	if err := os.WriteFile(path+".wal", []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path, path+".mine"); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := RemoveStray(t.Context(), Options{StateDir: filepath.Join(dir, "state"), Target: path}); err != nil || StrayLog(path) == "" {
		t.Errorf("removed: %v", err)
	}
}
