package sandbox

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// userID is the one user of the sandbox.
const (
	userID   = guid("6a1f0d52-5c3e-4b0a-9a58-0e5b7f2c4d10")
	userName = "Sanne de Vries"
	userMail = "sanne@zandbak.example"
	// Row versions of generated records: a block for each set, so that it does not matter which
	// set is generated first. What changes later is numbered behind all blocks.
	versionBlock = 10_000_000
	// lowest is how far moves can number rows down: below all blocks there is so much room.
	lowest = 100 * versionBlock

	deletedSet = "/api/v1/{division}/sync/Deleted"
)

// division is one company. Its sets are generated when they are first asked for.
type division struct {
	code    int
	name    string
	seed    uint64
	scale   float64
	today   time.Time // where the generated history ends, as wall time
	zone    *time.Location
	stores  map[string]*store
	books   *books
	changes int // counts what was done to the company

	siblings func() []*division // all that the login can reach, this one among them
	archived bool
	now      func() time.Time

	version int64 // the highest row version given out by a change
	deleted []deletion
	moved   any               // DivisionMoveDate
	linked  any               // DivisionHRLinkUnlinkDate
	revoked map[string]bool   // patterns of endpoints that answer with empty lists
	refused map[string]string // the Reason of endpoints that answer 403, by pattern; "": all of them
	late    []delayed
	shift   int64 // by which moves have renumbered the generated row versions
	derived map[string]derivation
	rules   *Options       // of the sandbox
	sizes   map[string]int // how many records sets begin with, where that was asked for

	// writing is the change being applied; nil while the company is being generated.
	writing *write
}

// write is one change: when it happened, and which row versions it may give.
type write struct {
	at      stamp
	version int64
	dice    *dice
}

// delayed is a change that has been written and is not yet committed.
type delayed struct {
	change Change
	at     stamp
	first  int64 // the row versions reserved for it begin here
	number int
}

// deletion is one row of sync/Deleted.
type deletion struct {
	version int64
	id, key guid
	entity  int32
	at      stamp
}

type derivation struct {
	changes int
	store   *store
}

var companyNames = []string{"De Gouden Lepel B.V.", "Fietsatelier Noord", "Van Dijk Installaties B.V.", "Bakkerij 't Hoekje", "Zonnehof Beheer B.V."}

// newDivision prepares the i-th company; nothing of it is generated yet.
func newDivision(o Options, i int, today time.Time) *division {
	d := &division{
		code: 123456 + i, name: companyNameOf(i), seed: newSeed(o.Seed, i), scale: o.Scale,
		today: today, zone: o.Zone, now: o.Clock, stores: map[string]*store{}, revoked: map[string]bool{}, refused: map[string]string{}, derived: map[string]derivation{},
	}
	if i > 0 {
		d.scale /= 3
	}
	d.version = lowest + int64(len(published().sets)+2)*versionBlock
	return d
}

// companyNameOf numbers the names when there are no more.
func companyNameOf(i int) string {
	name := companyNames[i%len(companyNames)]
	if round := i / len(companyNames); round > 0 {
		return fmt.Sprintf("%s (%d)", name, round+1)
	}
	return name
}

func newSeed(seed uint64, i int) uint64 { return newDice(seed, "division", i).next() }

// records is the store of a set, generated or computed when need be.
func (d *division) records(set *recordSet) *store {
	if set.name == deletedSet {
		return d.deletions(set)
	}
	if compute, ok := computations[set.name]; ok {
		return d.computed(set, compute)
	}
	if s := d.stores[set.name]; s != nil {
		return s
	}
	if kept[set.name] {
		d.ledger()
	} else {
		writing := d.writing
		d.writing = nil
		d.generate(set)
		d.number(d.store(set.name))
		d.writing = writing
	}
	return d.store(set.name)
}

// ledger generates the coherent part of the company, once.
func (d *division) ledger() *books {
	if d.books == nil {
		writing := d.writing
		d.writing = nil
		d.books = keepBooks(d)
		for _, name := range fillable {
			d.fill(published().sets[name], d.sizes[name])
		}
		for name := range kept {
			d.number(d.store(name))
		}
		d.writing = writing
	}
	return d.books
}

func (d *division) store(name string) *store {
	s := d.stores[name]
	if s == nil {
		set := published().sets[name]
		if set == nil {
			set = &recordSet{name: name, index: map[string]int{}} // not in the catalogue: shown nowhere
		}
		s = newStore(set)
		d.stores[name] = s
	}
	return s
}

// nextVersion numbers a row that is written to a store.
func (d *division) nextVersion(s *store) int64 {
	if d.writing == nil {
		return d.firstVersion(s.set) + int64(s.serial)
	}
	d.writing.version++
	return d.writing.version
}

func (d *division) firstVersion(set *recordSet) int64 {
	return lowest + int64(set.ordinal+1)*versionBlock + d.shift + 1
}

// number gives the records of a set that has just been generated their row versions: in the order
// of Modified, as if each had been written then.
func (d *division) number(s *store) {
	modified := s.set.column("Modified")
	if modified < 0 {
		return
	}
	list := slices.Clone(s.made())
	slices.SortStableFunc(list, func(a, b *record) int { return compare(a.val(modified), b.val(modified)) })
	for i, r := range list {
		r.version = d.firstVersion(s.set) + int64(i)*3
	}
	s.unsort()
}

// insert adds a record. Properties that the fields do not give are nil, but for those that every
// record has: who made it, when, and in which division.
func (d *division) insert(set string, made stamp, f fields) *record {
	s := d.store(set)
	r := s.set.build(f)
	d.finish(s, r, made)
	return r
}

// insertFull is insert with plausible values in the properties that the fields do not give.
func (d *division) insertFull(set string, made stamp, f fields) *record {
	s := d.store(set)
	r := d.invent(s.set, s.serial)
	for name, v := range f {
		s.set.put(r, name, v)
	}
	d.finish(s, r, made)
	return r
}

func (d *division) finish(s *store, r *record, made stamp) {
	if d.writing != nil {
		made = d.writing.at
	}
	marks := fields{
		"Created": made, "Modified": made, "Creator": userID, "Modifier": userID,
		"CreatorFullName": userName, "ModifierFullName": userName, "Division": d.code,
	}
	for name, v := range marks {
		s.set.put(r, name, v)
	}
	r.version = d.nextVersion(s)
	s.put(r)
}

// update replaces a record by one with other values, a new version and a new Modified.
func (d *division) update(set string, old *record, f fields) *record {
	s := d.store(set)
	next := &record{vals: slices.Clone(old.all())}
	for name, v := range f {
		s.set.put(next, name, v)
	}
	if d.writing != nil {
		s.set.put(next, "Modified", d.writing.at)
	}
	if next.version = old.version; d.writing != nil {
		next.version = d.nextVersion(s)
	}
	s.replace(old, next)
	return next
}

// remove deletes a record and reports it in sync/Deleted, if told to and its set is reported there.
func (d *division) remove(set string, r *record, report bool) {
	s := d.store(set)
	s.remove(r)
	if !report || s.set.entity == 0 || len(s.set.identity) == 0 {
		return
	}
	key, ok := r.val(s.set.identity[0]).(guid)
	if !ok {
		return
	}
	version := d.nextVersion(s)
	d.deleted = append(d.deleted, deletion{
		version: version, id: newDice(d.seed, "deleted", int(version)).guid(), key: key, entity: s.set.entity, at: d.writing.at,
	})
}

// scaled is how many of n records a division of this scale has.
func (d *division) scaled(n int) int { return max(1, int(float64(n)*d.scale)) }

// date is midnight so many days before the end of the history.
func (d *division) date(daysAgo int) stamp {
	y, m, day := d.today.Date()
	return stamp(time.Date(y, m, day-daysAgo, 0, 0, 0, 0, time.UTC).UnixMilli())
}

// clock is a moment within the working hours of a day.
func clock(day stamp, dice *dice) stamp {
	return wall(time.UnixMilli(int64(day)+int64(8*time.Hour/time.Millisecond)+int64(dice.n(9*3600*1000))), time.UTC)
}

func (s stamp) plus(days int) stamp { return s + stamp(days)*86400*1000 }

func isDate(name string) bool {
	return strings.HasSuffix(name, "Date") || strings.HasPrefix(name, "FreeDateField")
}
