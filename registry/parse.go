package registry

// Parse reads a platform file (YAML, one document) and checks its form: unknown keys, wrong types, missing or
// malformed members, duplicate keys or codes. Every fault names its line. References to departments, items and
// service items are checked by Check, since they may stand in what is there already.
//
// The error is a Problems. Anchors, aliases, merge keys and tags are refused.
func Parse(file []byte) (*Platform, error) {
	f := &faults{}
	root := document(f, file, platformFile)
	if root == nil {
		return nil, f.err()
	}
	f.file = root
	p := reader{f}.platform(root)
	p.file = root
	form(f, p)
	if err := f.err(); err != nil {
		return nil, err
	}
	return p, nil
}

// Line returns the line of the file that p was parsed from on which path stands, or the nearest thing around it; 0
// when p is of no file or the file lacks that section.
func (p *Platform) Line(path string) int { return lineOf(p.file, path) }

// Check verifies a whole platform: every reference resolves, parents form no cycle, roles and needs are known,
// masking kinds and field roles are known. Lines are those of Parse where p came from a file. The error is a Problems.
func Check(p *Platform) error {
	f := &faults{file: p.file}
	form(f, p)
	references(f, p)
	return f.err()
}
