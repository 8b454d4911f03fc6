package caddymodule

import (
	"github.com/prometheus/client_golang/prometheus"

	"licgate/audit"
)

// auditMetrics are figures of the journal, its tree, and what leaves it. They are read when they are asked for.
type auditMetrics struct {
	journal *audit.Journal
	outward *outward
}

func auditDesc(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("licgate_audit_"+name, help, labels, nil)
}

var (
	auditCounters = []struct {
		desc *prometheus.Desc
		of   func(audit.Stats) float64
	}{
		{auditDesc("records_total", "Audit records on disk since the start."), func(s audit.Stats) float64 { return float64(s.Records) }},
		{auditDesc("syncs_total", "Groups of audit records written, each with one sync."), func(s audit.Stats) float64 { return float64(s.Groups) }},
		{auditDesc("refused_total", "Audit records that could not be kept, so that no answer left."), func(s audit.Stats) float64 { return float64(s.Refused) }},
		{auditDesc("lost_total", "Audit records of best_effort that were dropped."), func(s audit.Stats) float64 { return float64(s.Lost) }},
	}
	auditGauges = []struct {
		desc *prometheus.Desc
		of   func(audit.Stats) float64
	}{
		{auditDesc("waiting", "Audit records that wait for the disk."), func(s audit.Stats) float64 { return float64(s.Waiting) }},
		{auditDesc("write_seconds", "Time of the last write and sync."), func(s audit.Stats) float64 { return s.LastWrite.Seconds() }},
		{auditDesc("sequence", "Number of the last audit record on disk."), func(s audit.Stats) float64 { return float64(s.Sequence) }},
		{auditDesc("checkpoint_size", "Records under the newest signed checkpoint."), func(s audit.Stats) float64 { return float64(s.TreeSize) }},
		{auditDesc("checkpoint_timestamp_seconds", "When the newest checkpoint was signed."), func(s audit.Stats) float64 {
			if s.TreeTime.IsZero() {
				return 0
			}
			return float64(s.TreeTime.Unix())
		}},
		{auditDesc("checkpoint_lag_seconds", "How long records have waited for a checkpoint."), func(s audit.Stats) float64 { return s.TreeLag.Seconds() }},
		{auditDesc("tree_healthy", "1 when the tree follows the journal and checkpoints are signed."), func(s audit.Stats) float64 { return oneIf(s.TreeFault == nil) }},
		{auditDesc("tidy_healthy", "1 when sealed segments are packed, indexed and retired."), func(s audit.Stats) float64 { return oneIf(s.TidyFault == nil) }},
	}
	guestHealthy    = auditDesc("guest_healthy", "1 when an anchor or sink took what it was given last.", "kind", "name")
	guestForked     = auditDesc("anchor_forked", "1 when an anchor has a checkpoint that this log does not go on from.", "name")
	guestSize       = auditDesc("guest_size", "Records that a sink has, or that an anchor's checkpoint covers.", "kind", "name")
	witnessForks    = auditDesc("witness_evidence", "Forks and rollbacks of witnessed logs on file.")
	witnessUnproven = auditDesc("witness_unproven", "Signed checkpoints of witnessed logs on file that came without a proof that holds.")
	witnessRefused  = auditDesc("witness_refused", "Checkpoints that were not signed by the log in whose name they came, since the last configuration.")
)

func oneIf(yes bool) float64 {
	if yes {
		return 1
	}
	return 0
}

// Describe tells nothing beforehand: names of guests are the configuration's.
func (m *auditMetrics) Describe(chan<- *prometheus.Desc) {}

// Collect reads the figures.
func (m *auditMetrics) Collect(to chan<- prometheus.Metric) {
	stats := m.journal.Stats()
	for _, c := range auditCounters {
		to <- prometheus.MustNewConstMetric(c.desc, prometheus.CounterValue, c.of(stats))
	}
	for _, g := range auditGauges {
		to <- prometheus.MustNewConstMetric(g.desc, prometheus.GaugeValue, g.of(stats))
	}
	for _, s := range m.outward.states() {
		to <- prometheus.MustNewConstMetric(guestHealthy, prometheus.GaugeValue, oneIf(s.State == wellWord), s.Kind, s.Name)
		to <- prometheus.MustNewConstMetric(guestSize, prometheus.GaugeValue, float64(s.Size), s.Kind, s.Name)
		if s.Kind == "anchor" {
			to <- prometheus.MustNewConstMetric(guestForked, prometheus.GaugeValue, oneIf(s.State == forkedWord), s.Name)
		}
	}
	if m.outward.witness != nil {
		all := m.outward.witnessed()
		to <- prometheus.MustNewConstMetric(witnessForks, prometheus.GaugeValue, float64(all.Evidence))
		to <- prometheus.MustNewConstMetric(witnessUnproven, prometheus.GaugeValue, float64(all.Unproven))
		to <- prometheus.MustNewConstMetric(witnessRefused, prometheus.GaugeValue, float64(all.Refused))
	}
}
