package exactonline

import (
	_ "embed"
	"fmt"
	"strings"
	"sync"
)

//go:embed amounts.txt
var amountsText string

// numbers is what amounts.txt says: true for money, by column ("AmountDC") and, where a name
// means different things, by stream and column ("payroll/VariableMutations.Value").
type numbers map[string]bool

var amounts = sync.OnceValue(func() numbers {
	n := numbers{}
	section, known := "", map[string]bool{"[money]": true, "[not money]": false}
	count := 0
	for line := range strings.Lines(amountsText) {
		count++
		line, _, _ = strings.Cut(line, "#")
		line = strings.TrimSpace(line)
		_, twice := n[line]
		switch _, heading := known[line]; {
		case line == "":
		case heading:
			section = line
		case section == "" || twice:
			panic(fmt.Sprintf("amounts.txt:%d: %s is outside of a section or listed twice", count, line))
		default:
			n[line] = known[section]
		}
	}
	return n
})

// money reports whether a floating-point column of a stream is an amount of money.
func (n numbers) money(stream, column string) bool {
	if is, ok := n[stream+"."+column]; ok {
		return is
	}
	return n[column]
}

// decided reports whether amounts.txt says anything about the column.
func (n numbers) decided(stream, column string) bool {
	_, here := n[stream+"."+column]
	_, anywhere := n[column]
	return here || anywhere
}
