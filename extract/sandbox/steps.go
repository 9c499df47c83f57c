package sandbox

import (
	"fmt"
	"time"
)

// ops are what can be done to a sandbox, once and again.
var ops map[string]func(s *Sandbox, x step, at stamp) error

func init() {
	ops = map[string]func(*Sandbox, step, stamp) error{
		"origin": func(s *Sandbox, x step, _ stamp) error { return s.found(*x.Origin) },
		"logins": func(s *Sandbox, x step, _ stamp) error { s.logins = x.Logins; return nil },
		"change": (*Sandbox).redoChange,
		"commit": inDivision(func(_ *Sandbox, d *division, _ step, _ stamp) error { return d.commit() }),
		"move":   inDivision(func(_ *Sandbox, d *division, x step, at stamp) error { return d.move(at, x.Yes) }),
		"link": inDivision(func(_ *Sandbox, d *division, x step, at stamp) error {
			d.linkHR(at, x.At)
			return nil
		}),
		"revoke":       rights(func(_ *Sandbox, d *division, x step) { d.revoked[x.Path] = true }),
		"restore":      rights(func(_ *Sandbox, d *division, x step) { delete(d.revoked, x.Path) }),
		"forbid":       (*Sandbox).redoForbid,
		"allow":        (*Sandbox).redoAllow,
		"add":          func(s *Sandbox, x step, _ stamp) error { return s.redoAdd(x) },
		"drop":         func(s *Sandbox, x step, _ stamp) error { return s.redoDrop(x) },
		"rename":       func(s *Sandbox, x step, _ stamp) error { return s.redoRename(x) },
		"retype":       func(s *Sandbox, x step, _ stamp) error { return s.redoRetype(x) },
		"require":      (*Sandbox).redoRequire,
		"set":          (*Sandbox).redoSet,
		"scenario":     (*Sandbox).redoScenario,
		"scene":        func(*Sandbox, step, stamp) error { return nil },
		"clear faults": func(s *Sandbox, _ step, _ stamp) error { s.faults.Clear(); return nil },
		"fault":        func(s *Sandbox, x step, _ stamp) error { s.faults.Add(*x.Fault); return nil },

		"add division":     (*Sandbox).redoAddDivision,
		"remove division":  rights(func(s *Sandbox, d *division, _ step) { s.removeDivision(d) }),
		"rename division":  rights(func(_ *Sandbox, d *division, x step) { d.name = x.Name }),
		"archive division": rights(func(_ *Sandbox, d *division, x step) { d.archived = x.Yes }),
	}
}

func inDivision(do func(*Sandbox, *division, step, stamp) error) func(*Sandbox, step, stamp) error {
	return func(s *Sandbox, x step, at stamp) error {
		d, err := s.division(x.Division)
		if err != nil {
			return err
		}
		return do(s, d, x, at)
	}
}

// rights are what cannot fail in a division that there is, and may show in the lists of divisions.
func rights(do func(*Sandbox, *division, step)) func(*Sandbox, step, stamp) error {
	return inDivision(func(s *Sandbox, d *division, x step, _ stamp) error {
		do(s, d, x)
		s.remember()
		return nil
	})
}

func (s *Sandbox) locked(x step) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.do(x)
}

// do writes a step down and then does it.
func (s *Sandbox) do(x step) error {
	if x.At == 0 {
		x.At = s.now().UnixNano()
	}
	if x.Change != nil {
		if err := s.prepare(&x); err != nil {
			return err
		}
	}
	kept := x
	if x.Fault != nil { // faults are of this process; that a scenario had one is not
		kept = step{Op: "scene", At: x.At, Scene: x.Scene}
	}
	if x.Fault == nil || x.Scene > 0 {
		if err := s.chronicle.Add(kept); err != nil {
			return err
		}
	}
	return s.redo(x)
}

// prepare completes a change, and refuses one that names what there is not.
func (s *Sandbox) prepare(x *step) error {
	if _, err := findSet(x.Change.Entity); err != nil {
		return err
	}
	d, err := s.division(x.Change.Division)
	if err != nil {
		return err
	}
	c := *x.Change
	c.Division, x.Change, x.Number = d.code, &c, s.number+1
	return nil
}

// redo does a step, whether for the first time or again.
func (s *Sandbox) redo(x step) error {
	do, known := ops[x.Op]
	if !known {
		return fmt.Errorf("the state of the sandbox has a step %q, which this version does not know", x.Op)
	}
	if x.Scene > 0 {
		s.played(x)
	}
	return do(s, x, wall(time.Unix(0, x.At), s.zone))
}

func (s *Sandbox) redoChange(x step, at stamp) error {
	d, err := s.division(x.Change.Division)
	if err != nil {
		return err
	}
	s.number = max(s.number, x.Number)
	w := d.newWrite(at, x.Number)
	if x.Change.Late {
		d.late = append(d.late, delayed{*x.Change, at, w.version, x.Number})
		d.version += lateVersions
		return nil
	}
	err = d.apply(*x.Change, w)
	d.version = max(d.version, w.version)
	return err
}

// commit applies what was written late, each with the versions that it was given then.
func (d *division) commit() error {
	late := d.late
	d.late = nil
	for _, x := range late {
		w := &write{at: x.at, version: x.first, dice: newDice(d.seed, "change", x.number)}
		if err := d.apply(x.change, w); err != nil {
			return err
		}
	}
	return nil
}

// stride is how far a move takes row versions: not as far as the versions of a set reach, so that
// a cursor of before lies among those of after.
const stride = 2_000_000

// move numbers every row anew, higher or lower. What is generated later follows the shift.
func (d *division) move(at stamp, up bool) error {
	if err := d.commit(); err != nil {
		return err
	}
	shift := int64(stride)
	if !up && d.shift-stride > -lowest {
		shift = -stride
	}
	d.shift += shift
	d.version += shift
	for _, s := range d.stores {
		s.shift(shift)
	}
	for i := range d.deleted {
		d.deleted[i].version += shift
	}
	d.moved = at
	for _, other := range d.siblings() {
		other.changes++
	}
	return nil
}
