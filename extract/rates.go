package extract

import (
	"net/http"
	"strconv"
	"strings"
	"time"

	"exactduck/extract/ledger"
)

// Rates are the rate headers of one answer. What the vendor did not say, or said in a way that
// makes no sense, is unknown; it is never taken for zero.
type Rates struct {
	Day, Minute Rate
}

// Rate is what an answer says about one window.
type Rate = ledger.Rate

// ReadRates reads the six headers X-RateLimit-[Minutely-]Limit, -Remaining and -Reset. Resets are
// milliseconds since 1970.
func ReadRates(h http.Header) Rates {
	return Rates{Day: readRate(h, "X-RateLimit-"), Minute: readRate(h, "X-RateLimit-Minutely-")}
}

func readRate(h http.Header, prefix string) Rate {
	rate := Rate{Limit: count(h.Get(prefix + "Limit")), Remaining: count(h.Get(prefix + "Remaining"))}
	if rate.Limit == 0 { // a limit of nothing would wait for ever
		rate.Limit = -1
	}
	rate.Reset = instant(h.Get(prefix + "Reset"))
	return rate
}

func count(text string) int {
	n, err := strconv.ParseUint(strings.TrimSpace(text), 10, 31)
	if err != nil {
		return -1
	}
	return int(n)
}

// The instants that can be meant lie between 2001 and 2100: anything else is another unit.
const earliestReset, latestReset = 1e12 - 1, 4.2e12

func instant(text string) time.Time {
	ms, err := strconv.ParseInt(strings.TrimSpace(text), 10, 64)
	if err != nil || ms < earliestReset || ms > latestReset {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}
