package config_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"exactduck/cmd/exactduck/config"
	"exactduck/extract/mask"
	"exactduck/schema"
)

const masked = `    mask: {email: hash, Phone: drop}
    mask_key: ${EXACT_MASK_KEY}
    streams: [{stream: crm/Accounts, mask: {Name: drop, Email: drop}}, crm/Contacts]`

func TestMasksOfAnEntryAreAddedToThoseOfThePipeline(t *testing.T) {
	c, err := config.Parse([]byte(change(t, "    streams: [crm/Accounts]", masked)), "p.yaml", catalogue)
	if err != nil {
		t.Fatal(err)
	}
	choices, err := c.Pipelines["nightly"].Choices(catalogue)
	if err != nil {
		t.Fatal(err)
	}
	want := []mask.Rules{{"Name": mask.Drop, "Email": mask.Drop, "Phone": mask.Drop}, {"Email": mask.Hash, "Phone": mask.Drop}}
	if diff := cmp.Diff(want, []mask.Rules{choices[0].Mask, choices[1].Mask}); diff != "" {
		t.Fatal(diff)
	}
	contacts := choices[1]
	stored, asked := contacts.Table(contacts.Stream.Variants[0]), contacts.Unmasked(contacts.Stream.Variants[0])
	if i := stored.Index("Email"); stored.Columns[i].Type != schema.Varchar || stored.Index("Phone") >= 0 || asked.Index("Phone") >= 0 || asked.Index("Email") < 0 {
		t.Errorf("stored %v, asked for %v", stored.Columns, asked.Columns)
	}
}

func TestTheKeyOfMasks(t *testing.T) {
	c, err := config.Parse([]byte(change(t, "    streams: [crm/Accounts]", masked)), "p.yaml", catalogue)
	if err != nil {
		t.Fatal(err)
	}
	for value, want := range map[string]string{"0123456789abcdef": "", "": "is not set", "short": "is shorter than 16 characters"} {
		key, err := c.MaskKey("nightly", func(name string) (string, bool) { return value, name == "EXACT_MASK_KEY" })
		if want == "" {
			if err != nil || key != value {
				t.Errorf("got %q, %v", key, err)
			}
			continue
		}
		var secret *config.SecretError
		if !errors.As(err, &secret) || secret.Variable != "EXACT_MASK_KEY" || !strings.Contains(err.Error(), want) ||
			!strings.Contains(err.Error(), "pipelines.nightly.mask_key") {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}

func TestMasksThatCannotBe(t *testing.T) {
	const key = "    mask_key: ${K}\n"
	for name, test := range map[string]struct{ lines, want, hint string }{
		"no rule":          {"    mask: {Email: hide}\n", `mask.Email: there is no rule "hide"`, "write hash or drop"},
		"key column":       {"    mask: {id: drop}\n", "mask.id: id tells the rows of crm/Accounts apart", "remove it"},
		"version":          {"    mask: {Timestamp: drop}\n", "mask.Timestamp: Timestamp tells", ""},
		"scope":            {"    mask: {_division: drop}\n", "mask._division: _division tells", ""},
		"date":             {"    mask: {Modified: drop}\n", "mask.Modified: Modified tells", ""},
		"unknown":          {"    mask: {Emial: drop}\n", `mask.Emial: there is no column "Emial"`, "did you mean Email?"},
		"default":          {"    defaults: {mask: {Emial: drop}}\n", `defaults.mask.Emial: there is no column "Emial"`, "did you mean Email?"},
		"two spellings":    {"    mask: {Email: drop, EMAIL: drop}\n", "EMAIL and Email are the same property", "remove one"},
		"no key":           {"    mask: {Email: hash}\n", "mask_key: is missing", "write mask_key: ${EXACT_MASK_KEY}"},
		"literal key":      {"    mask: {Email: hash}\n    mask_key: canary-canary-canary\n", "mask_key: must not be written into this file", ""},
		"key of no use":    {"    mask: {Email: drop}\n" + key, "mask_key: is of no use without a hash", ""},
		"half a reference": {"    mask: {Email: hash}\n    mask_key: x${K}\n", "mask_key: refers to a variable", ""},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := config.Parse([]byte(change(t, "    streams: [crm/Accounts]", test.lines+"    streams: [crm/Accounts]")), "p.yaml", catalogue)
			var wrong *config.Error
			if !errors.As(err, &wrong) {
				t.Fatalf("no problem was found: %v", err)
			}
			p := wrong.Problems[0]
			if !strings.Contains(p.Message, test.want) || !strings.Contains(p.Hint, test.hint) || strings.Contains(p.Excerpt, "canary") {
				t.Errorf("got %s\n%s\n%s\nwant %s", p.Message, p.Hint, p.Excerpt, test.want)
			}
		})
	}
}

// A wildcard takes the names that one of its streams has; an entry by name warns of those that it has not.
func TestMasksAreHeldAgainstTheStreamsTheyAreFor(t *testing.T) {
	wild := change(t, "[crm/Accounts]", "[{stream: crm/*, mask: {BirthName: drop}}]")
	if _, err := config.Parse([]byte(wild), "p.yaml", catalogue); err != nil {
		t.Errorf("wildcard: %v", err)
	}
	named := change(t, "[crm/Accounts]", "[{stream: crm/Accounts, mask: {BirthName: drop}}]")
	c, err := config.Parse([]byte(named), "p.yaml", catalogue)
	if err != nil || !strings.Contains(fmt.Sprint(c.Warnings()), "streams[1].mask.BirthName: the catalogue has no BirthName; the rule holds for what is kept in _extra") {
		t.Errorf("by name: %v", err)
	}
	own := change(t, "[crm/Accounts]", "[{stream: crm/Accounts, types: {Shoe: VARCHAR}, mask: {Shoe: drop}}]")
	if _, err := config.Parse([]byte(own), "p.yaml", catalogue); err != nil {
		t.Errorf("a column of the file's own: %v", err)
	}
}
