package exactpay_test

import (
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"exactduck/schema"
)

// ledgerOf are payments by the hour, the last of which have one and the same date, and a service that
// pages them as a test wants.
type ledgerOf struct {
	rows, tied int // of which tied have the date of the last
	cap        int // rows of a page
	asked      int // requests for pages
	turning    bool
	spoil      func(asked int, rows []string) []string
}

func (l *ledgerOf) at(i int) time.Time {
	return time.Date(2026, 1, 1, min(i, l.rows-l.tied), 0, 0, 0, time.UTC)
}

func (l *ledgerOf) answer(w http.ResponseWriter, _ string, q url.Values) {
	l.asked++
	var order []int
	for i := range l.rows {
		order = append(order, i)
	}
	if l.turning { // rows of one date come in another order each time
		ties := order[l.rows-l.tied:]
		turn := l.asked % len(ties)
		copy(ties, append(slices.Clone(ties[turn:]), ties[:turn]...))
	}
	var rows []string
	for _, i := range order {
		at := l.at(i).Format("2006-01-02T15:04:05.000Z")
		if at >= q.Get("createdAt[$gte]") {
			rows = append(rows, fmt.Sprintf(`{"paymentId":"p%03d","createdAt":%q}`, i, at))
		}
	}
	if q.Get("$sort") == "-createdAt" {
		slices.Reverse(rows)
	}
	var skip int
	_, _ = fmt.Sscan(q.Get("$skip"), &skip)
	rows = rows[min(skip, len(rows)):]
	rows = rows[:min(l.cap, len(rows))]
	if l.spoil != nil {
		rows = l.spoil(l.asked, rows)
	}
	_, _ = io.WriteString(w, "["+strings.Join(rows, ",")+"]")
}

// from is a cursor at an hour.
func (l *ledgerOf) from(i int) schema.Position {
	return schema.Position(fmt.Sprintf(`{"v":1,"by":"createdAt","at":%q}`, l.at(i).Format(time.RFC3339)))
}

// what comes of a read from a cursor, or of everything.
func (l *ledgerOf) read(t *testing.T, partly bool) (missing int, unproven bool) {
	t.Helper()
	r := payments(t)
	if partly {
		r.From = l.from(l.rows / 2)
	}
	keys, last, err := all(t, serve(t, l.answer).source(nil), r)
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(keys)
	return l.rows - len(slices.Compact(keys)), last.Unproven
}

// Rows of one date that come in another order each time do not hide behind the end of a page.
func TestTiesAtTheEndOfAPage(t *testing.T) {
	for tied := 2; tied < 8; tied++ {
		for _, rows := range []int{15, 16, 17, 18, 31, 33} {
			for _, partly := range []bool{true, false} {
				l := &ledgerOf{rows: rows, tied: tied, cap: 16, turning: true}
				if missing, _ := l.read(t, partly); missing > 0 {
					t.Errorf("%d of %d rows are missing, %d of them tied, partly %v", missing, rows, tied, partly)
				}
			}
		}
	}
}

// An empty answer, or a page that is cut short, is not the end where rows were known to be.
func TestEmptyPagesInTheMiddle(t *testing.T) {
	for nth := 1; nth < 8; nth++ {
		for _, left := range []int{0, 1, 2, 5} {
			for _, partly := range []bool{left == 0 || left == 5, false} {
				l := &ledgerOf{rows: 40, tied: 1, cap: 16, spoil: func(asked int, rows []string) []string {
					if asked == nth {
						return rows[:min(left, len(rows))]
					}
					return rows
				}}
				if missing, unproven := l.read(t, partly); missing > 0 && !unproven {
					t.Errorf("answer %d has %d rows: %d rows are missing, partly %v", nth, left, missing, partly)
				}
			}
		}
	}
}

// Whoever does not heed offsets is not asked for ever.
func TestOffsetsThatAreNotHeeded(t *testing.T) {
	l := &ledgerOf{rows: 12, tied: 1, cap: 100}
	s := serve(t, func(w http.ResponseWriter, path string, q url.Values) {
		q.Del("$skip")
		l.answer(w, path, q)
	})
	keys, _, err := all(t, s.source(nil), payments(t))
	slices.Sort(keys)
	if err != nil || len(slices.Compact(keys)) != 12 || l.asked > 30 {
		t.Errorf("%d rows with %d requests: %v", len(keys), l.asked, err)
	}
}

// A filter that is refused is not taken for a sort order that is, although another read has just learnt
// of it.
func TestRefusedWhileAnotherLearns(t *testing.T) {
	r := payments(t)
	unsorted := []string{"$sort=plain", "$sort=colon", "$sort=brackets"}
	l := &ledgerOf{rows: 5, tied: 1, cap: 100}
	s := serve(t, nil)
	source := s.source(nil)
	s.answer = func(w http.ResponseWriter, path string, q url.Values) {
		if q.Has("createdAt[$gte]") {
			source.Know(r.Variant.Name, append([]string{"$filter=createdAt"}, unsorted...), false)
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		l.answer(w, path, q)
	}
	source.Know(r.Variant.Name, unsorted, false)
	r.From = l.from(2)
	if keys, _, err := all(t, source, r); err != nil || len(keys) != 5 {
		t.Errorf("%d rows: %v", len(keys), err)
	}
}

// An empty answer that says itself that there is nothing is asked for once more.
func TestEmptyAnswersThatSayZero(t *testing.T) {
	asked := map[string]int{}
	s := serve(t, func(w http.ResponseWriter, _ string, q url.Values) {
		from, skip := q.Get("from"), q.Get("$skip")
		switch asked[from]++; {
		case asked[from] == 1 && from > "2026-02":
			_, _ = io.WriteString(w, `{"available":0,"results":[]}`)
		case skip != "0":
			_, _ = io.WriteString(w, `{"available":2,"results":[]}`)
		default:
			_, _ = fmt.Fprintf(w, `{"available":2,"results":[{"id":"a %s"}]}`, from)
		}
	})
	r := read(t, "orders", "0", "")
	r.Since = time.Date(2026, 1, 10, 0, 0, 0, 0, time.UTC)
	keys, _, err := all(t, s.source(nil), r)
	slices.Sort(keys)
	if got, want := len(slices.Compact(keys)), len(asked); err != nil || got != want {
		t.Errorf("%d of %d orders: %v", got, want, err)
	}
}

// Rows that only seem to be sorted, as they came one after the other, hide the one that came late.
func TestRowsThatOnlySeemToBeSorted(t *testing.T) {
	for _, partly := range []bool{true, false} {
		l := &ledgerOf{rows: 40, tied: 1, cap: 16}
		late := fmt.Sprintf(`{"paymentId":"late","createdAt":%q}`, l.at(5).Format(time.RFC3339))
		s := serve(t, func(w http.ResponseWriter, _ string, q url.Values) {
			var rows []string
			for i := range l.rows {
				if at := l.at(i).Format("2006-01-02T15:04:05.000Z"); at >= q.Get("createdAt[$gte]") {
					rows = append(rows, fmt.Sprintf(`{"paymentId":"p%03d","createdAt":%q}`, i, at))
				}
			}
			if l.at(5).Format("2006-01-02T15:04:05.000Z") >= q.Get("createdAt[$gte]") {
				rows = append(rows, late)
			}
			limit, skip := l.cap, 0
			_, _ = fmt.Sscan(q.Get("$limit"), &limit)
			_, _ = fmt.Sscan(q.Get("$skip"), &skip)
			rows = rows[min(skip, len(rows)):]
			_, _ = io.WriteString(w, "["+strings.Join(rows[:min(limit, l.cap, len(rows))], ",")+"]")
		})
		r := payments(t)
		if partly {
			r.From = l.from(l.rows / 2)
		}
		keys, _, err := all(t, s.source(nil), r)
		if err != nil || !slices.Contains(keys, "late") {
			t.Errorf("the late row is missing, partly %v: %v", partly, err)
		}
	}
}
