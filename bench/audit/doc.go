// Package audit measures the journal next to the disk's own sync and to a log without durability, in one run.
// docs/figures-audit.md has the figures and how to make them anew.
package audit
