package caddymodule

import (
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics are served at Caddy's own endpoint. Labels are closed lists: no code, token or name of a caller stands in one.
type metrics struct {
	requests *prometheus.CounterVec
	seconds  *prometheus.HistogramVec
}

func newMetrics(registry prometheus.Registerer, g *gateway) (*metrics, error) {
	m := &metrics{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Namespace: "licgate", Name: "requests_total", Help: "Requests by interface, outcome and error code.",
		}, []string{"interface", "outcome", "code"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Namespace: "licgate", Name: "request_duration_seconds", Help: "Time from arrival to the end of the answer.",
			Buckets: prometheus.ExponentialBuckets(0.0005, 2.5, 10),
		}, []string{"interface"}),
	}
	gauge := func(name, help string, value func() float64) prometheus.Collector {
		return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Namespace: "licgate", Name: name, Help: help}, value)
	}
	yes := func(b bool) float64 {
		if b {
			return 1
		}
		return 0
	}
	for _, c := range []prometheus.Collector{
		m.requests, m.seconds,
		gauge("policy_version", "Policy version in force on this node.", func() float64 { return float64(g.state.Load().version) }),
		prometheus.NewCounterFunc(prometheus.CounterOpts{
			Namespace: "licgate", Name: "policy_mismatches_total", Help: "Decisions refused because the compiled policy and the reference engine disagreed.",
		}, func() float64 { return float64(g.mismatches.Load()) }),
		prometheus.NewCounterFunc(prometheus.CounterOpts{
			Namespace: "licgate", Name: "integrity_faults_total", Help: "Stored rows refused because they are not what was kept.",
		}, func() float64 { return float64(g.store.Faults()) }),
		prometheus.NewCounterFunc(prometheus.CounterOpts{
			Namespace: "licgate", Name: "face_faults_total", Help: "Licences drawn with the plain face because their own could not be had.",
		}, func() float64 { return float64(g.faces.faults.Load()) }),
		gauge("audit_healthy", "1 when the last audit record could be kept.", func() float64 { return yes(g.journal.Healthy() == nil) }),
		gauge("limits_fallback", "1 when the shared limiter is down and applications are counted locally.", func() float64 { return yes(g.limits.down.Load()) }),
	} {
		if err := registry.Register(c); err != nil {
			return nil, fmt.Errorf("licgate: metrics: %w", err)
		}
	}
	return m, nil
}

// request counts one request.
func (m *metrics) request(name, outcome, code string, took time.Duration) {
	if name == "" {
		name = "unknown"
	}
	m.requests.WithLabelValues(name, outcome, code).Inc()
	m.seconds.WithLabelValues(name).Observe(took.Seconds())
}
