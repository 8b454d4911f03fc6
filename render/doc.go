// Package render draws licences: pages, PDF, OFD. A pure function of data: what it gets is already masked.
//
// Page and MessagePage write HTML without script or inline style; PDF writes PDF/A-1b (ISO 19005-1, GB/T 23286.1) and OFD
// writes GB/T 33190-2016, each with a small writer of its own. All draw the same View; PDF and OFD paint the same drawing
// of it, letter by letter in the same places. The fonts are embedded, and decompressed when first needed.
package render
