package render

import (
	"fmt"
	"iter"
	"time"

	"rsc.io/qr"
)

// CodeLife is how long the QR code of a page is taken; the style sheet counts by it too.
const CodeLife = 2 * time.Minute

// QRCode returns the modules of a QR code (GB/T 18284) for a View: rows, true is dark, without quiet zone. It stays readable with 15 % of
// it lost (level M). A text of more than 2,331 bytes does not fit: an error.
func QRCode(text string) ([][]bool, error) {
	code, err := qr.Encode(text, qr.M)
	if err != nil {
		return nil, fmt.Errorf("render: QR code of %d bytes: %w", len(text), err)
	}
	rows := make([][]bool, code.Size)
	for y := range rows {
		rows[y] = make([]bool, code.Size)
		for x := range rows[y] {
			rows[y][x] = code.Black(x, y)
		}
	}
	return rows, nil
}

// darkRuns are the dark modules of a row that stand side by side: from each first one to behind the last.
func darkRuns(row []bool) iter.Seq2[int, int] {
	return func(yield func(from, to int) bool) {
		for from := 0; from < len(row); from++ {
			to := from
			for to < len(row) && row[to] {
				to++
			}
			if to > from && !yield(from, to) {
				return
			}
			from = to
		}
	}
}
