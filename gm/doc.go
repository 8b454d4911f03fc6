// Package gm holds the national cryptography of the gateway — SM2 (GB/T 32918), SM3 (GB/T 32905),
// SM4 (GB/T 32907) — and the keys it uses. It is the only importer of a GM library.
package gm
