// Package registry holds the declared platform: departments, catalogue items, service items, applications and
// accounts (docs/operators.md, platform.yaml; the form of appendix A). It parses the file, checks it, says the
// difference between two platforms, and indexes one for look-ups.
package registry
