// Package gm measures the cryptography on one core: sealing in both versions next to SM4-GCM with one fixed key in the same run, look-up
// digests, authentication codes, and the bare algorithms. docs/figures-gm.md has the figures and how to make them anew.
package gm
