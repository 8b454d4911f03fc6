// Package seal puts electronic seals (GB/T 38540-2020) and ordinary signatures on PDF and OFD files, time-stamps them
// (RFC 3161), and says of such a file whether it is whole, who sealed it and when.
//
// Authority holds the keys and makes seals; SignPDF and SignOFD take a finished file and give it back sealed; Verify needs
// nothing but the file and the certificates to trust.
package seal
