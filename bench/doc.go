// Package bench measures speed and size of the real process over TLS, next to bare Caddy in the same run. It holds benchmarks
// only; docs/figures.md has the figures and how to repeat them.
package bench
