// Package masking measures the masking of JSON bodies of 2 KiB, 20 KiB and 1 MiB next to encoding/json (decode, change, encode) and to a copy
// of the bytes, in one run. docs/figures-masking.md has the figures and how to make them anew.
package masking
