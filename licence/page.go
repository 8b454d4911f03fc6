package licence

// Page selects one page, 1-based. A zero Index is the first page, a zero Size is 10 (tables 4, 13, 14).
type Page struct{ Index, Size int }

// maxOffset keeps a page far past the end from overflowing; no store holds that many rows.
const maxOffset = 1 << 40

func (p Page) bounds() (limit, offset int) {
	index, size := p.Index, p.Size
	if index < 1 {
		index = 1
	}
	if size < 1 {
		size = 10
	}
	if index-1 > maxOffset/size {
		return size, maxOffset
	}
	return size, (index - 1) * size
}
