// Package render draws licences: pages, PDF, later OFD. A pure function of data: what it gets is already masked.
//
// Page and MessagePage write HTML without script or inline style; PDF writes PDF/A-1b (ISO 19005-1, GB/T 23286.1) with
// its own small writer. Both draw the same View. The fonts are embedded, and decompressed when first needed.
package render
