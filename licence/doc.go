// Package licence is the licence service: life cycle (tables 5–12), look-up by holder (tables 13, 14), use codes and
// access tokens (tables 15–21), numbers and check digits (domain.md §3, §4). It decides nothing about rights: callers
// have been judged. Data fields, names and numbers are sealed before they reach a Store and looked up by keyed hash.
package licence
