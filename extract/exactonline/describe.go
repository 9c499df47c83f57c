package exactonline

import (
	"encoding/json"
	"fmt"

	"exactduck/schema"
)

// Describe says in words where the next read from a cursor begins.
func Describe(p schema.Position) string {
	var c cursor
	switch err := json.Unmarshal([]byte(p), &c); {
	case p == "":
		return "the beginning"
	case err != nil:
		return string(p)
	case c.Kind == "timestamp" && c.From == 0 && c.Since != "":
		return "what was modified since " + c.Since
	case c.Kind == "timestamp":
		return fmt.Sprintf("Timestamp above %d", c.From)
	case c.Kind == "modified":
		return "what was modified since " + c.Wall
	}
	return "everything, every time"
}
