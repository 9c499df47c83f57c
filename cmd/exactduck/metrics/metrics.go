// Package metrics shows how things are to machines: figures for Prometheus, and two plain answers to
// whoever watches over the process. It knows nothing but the [Facts] it is given when it is asked, so
// that its figures survive restarts. Begin with [Handler].
package metrics

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

var _ = promhttp.HandlerOpts{}
var _ prometheus.Collector
