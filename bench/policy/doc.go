// Package policy measures decisions: the index next to Casbin's Enforcer and CachedEnforcer, in one run, over policies of 10² to
// 10⁶ lines. docs/figures-policy.md has the figures and how to make them anew.
package policy
