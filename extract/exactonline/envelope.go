package exactonline

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/go-faster/jx"
)

// envelope reads {"d": …} and nothing behind it.
func (d *decoder) envelope() error {
	members, err := d.json.ObjIter()
	if err != nil {
		return err
	}
	found := false
	for members.Next() {
		if key := members.Key(); string(key) != "d" || found {
			return fmt.Errorf("unexpected %q beside the records", key)
		}
		found = true
		if err := d.payload(); err != nil {
			return err
		}
	}
	if err := members.Err(); err != nil {
		return err
	}
	if !found {
		return errors.New(`no "d" in the answer`)
	}
	if err := d.json.Skip(); !errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return errors.New("something follows the answer")
	}
	return nil
}

// payload reads a list, a list with its continuation, or a single record.
func (d *decoder) payload() error {
	switch kind := d.json.Next(); kind {
	case jx.Array:
		return d.records()
	case jx.Object:
		return d.object()
	default:
		return fmt.Errorf("the records are a %s", kind)
	}
}

func (d *decoder) object() error {
	members, err := d.json.ObjIter()
	if err != nil {
		return err
	}
	if !members.Next() {
		if err := members.Err(); err != nil {
			return err
		}
		return errors.New("an object without records")
	}
	switch string(members.Key()) {
	case "results", "__next", "__count":
		return d.list(&members)
	default:
		return d.single(&members)
	}
}

// list reads {"results": […], "__next": "…"}, of which the first key is at hand.
func (d *decoder) list(members *jx.ObjIter) error {
	found := false
	for more := true; more; more = members.Next() {
		var err error
		switch key := string(members.Key()); {
		case key == "results" && !found:
			found = true
			err = d.records()
		case key == "__next":
			err = d.link()
		case key == "__count":
			err = d.total()
		case strings.HasPrefix(key, "__"):
			err = d.json.Skip()
		default:
			err = fmt.Errorf("unexpected %q beside the results", key)
		}
		if err != nil {
			return err
		}
	}
	if err := members.Err(); err != nil {
		return err
	}
	if !found {
		return errors.New("an object without results")
	}
	return nil
}

func (d *decoder) link() (err error) {
	if d.next != "" {
		return errors.New("two continuations")
	}
	if d.json.Next() == jx.Null {
		return d.json.Null()
	}
	d.next, err = d.json.Str()
	return err
}

// total keeps the number of all records, which is a number or a string of digits.
func (d *decoder) total() error {
	raw, err := d.json.Raw()
	if err == nil {
		d.count = strings.Trim(string(raw), `"`)
	}
	return err
}

func (d *decoder) records() error {
	records, err := d.json.ArrIter()
	if err != nil {
		return err
	}
	for records.Next() {
		members, err := d.json.ObjIter()
		if err != nil {
			return err
		}
		d.begin()
		for members.Next() {
			if err := d.property(members.Key()); err != nil {
				return err
			}
		}
		if err := members.Err(); err != nil {
			return err
		}
		if err := d.end(); err != nil {
			return err
		}
	}
	return records.Err()
}

// single reads the rest of a record of which the first key is at hand.
func (d *decoder) single(members *jx.ObjIter) error {
	d.begin()
	for more := true; more; more = members.Next() {
		if err := d.property(members.Key()); err != nil {
			return err
		}
	}
	if err := members.Err(); err != nil {
		return err
	}
	return d.end()
}
