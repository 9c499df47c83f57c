package config_test

import (
	"errors"
	"strings"
	"testing"

	"exactduck/cmd/exactduck/config"
)

// Without a limit of its own each of these takes gigabytes, or a stack that no recover catches.
func TestDeepNestingIsRefusedBeforeItCosts(t *testing.T) {
	for _, opener := range []string{"[", "{", "- ", "? ", "a: ", "a: {", "&a [", "\n" + strings.Repeat(" ", 300) + "a:"} {
		_, err := config.Parse([]byte("x: "+strings.Repeat(opener, 50_000/len(opener))), "p.yaml", catalogue)
		if err == nil || !strings.Contains(err.Error(), "nested too deeply") {
			t.Errorf("%q: got %v", opener, err)
		}
	}
}

// The second of these makes the YAML library panic.
func TestTagsAreRefused(t *testing.T) {
	for _, value := range []string{"[!!str crm/Accounts]", "!00\n", `!x {stream: crm/Accounts}`} {
		_, err := config.Parse([]byte(change(t, "[crm/Accounts]", value)), "p.yaml", catalogue)
		var wrong *config.Error
		if !errors.As(err, &wrong) || wrong.Problems[0].Line < 10 || !strings.Contains(err.Error(), "the tag ") {
			t.Errorf("%q: got %v", value, err)
		}
	}
}
