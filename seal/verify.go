package seal

import "bytes"

// Verify judges a sealed PDF or OFD by the certificates to trust. What is wrong with the file stands in the report; an error,
// ErrFormat, says that it is not a file that can be judged. It is safe for hostile files.
func Verify(file []byte, roots Roots) (Report, error) {
	if bytes.HasPrefix(file, []byte("PK")) {
		return verifyOFD(file, roots)
	}
	return verifyPDF(file, roots)
}
