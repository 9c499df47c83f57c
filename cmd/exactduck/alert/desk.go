package alert

import (
	"context"
	"io"
	"log/slog"
	"time"
)

// Options make a [Desk].
type Options struct {
	// Dir is where it is remembered what receivers were told. It is made when something is written.
	Dir       string
	Receivers []Receiver
	Clock     func() time.Time
	// Wait takes the place of a pause between tries of a delivery.
	Wait func(ctx context.Context, d time.Duration) error
	// Tries is how often one call of [Desk.Tell] tries to deliver to a receiver; 0: once.
	Tries int
	Log   *slog.Logger
	// From says which installation it is; messages carry it.
	From string
	// Output gets what commands write; nil: nobody.
	Output io.Writer
}

// Desk tells receivers. It holds nothing in memory between calls.
type Desk struct{ o Options }

// Open returns the desk of some receivers. It reads and writes nothing yet.
func Open(o Options) *Desk { return &Desk{o} }
