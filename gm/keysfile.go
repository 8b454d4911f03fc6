package gm

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
)

// The file of data keys, version 1, frozen: lines of JSON without blanks, each ended by a line break. The first is storedHead, then
// comes a storedKey for each key, by department and generation. One content has one encoding.
type (
	storedHead struct {
		Version  int   `json:"version"`
		Revision int64 `json:"revision"` // the greatest of the records
	}
	storedKey struct {
		ID         KeyID  `json:"id"`
		Department string `json:"department"`
		Period     string `json:"period"`
		Generation int    `json:"generation"`
		KEK        string `json:"kek"`
		Wrapped    []byte `json:"wrapped,omitempty"` // base64
		Created    int64  `json:"created"`           // milliseconds since 1970 UTC, as Destroyed
		Destroyed  int64  `json:"destroyed,omitempty"`
		Shredded   bool   `json:"shredded,omitempty"`
		MAC        []byte `json:"mac"` // base64
		Revision   int64  `json:"revision"`
	}
)

// keysFile is the content of the file.
type keysFile struct {
	revision int64
	records  []KeyRecord
}

func encodeKeys(f keysFile) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(storedHead{Version: 1, Revision: f.revision}); err != nil {
		return nil, fmt.Errorf("gm: writing data keys: %w", err)
	}
	for _, r := range f.records {
		if err := e.Encode(storedKey{
			ID: r.ID, Department: r.Department, Period: r.Period, Generation: r.Generation, KEK: r.KEK, Wrapped: r.Wrapped,
			Created: millis(r.Created), Destroyed: millis(r.Destroyed), Shredded: r.Shredded, MAC: r.MAC, Revision: r.Revision,
		}); err != nil {
			return nil, fmt.Errorf("gm: writing data keys: %w", err)
		}
	}
	return b.Bytes(), nil
}

// parseKeys reads what encodeKeys wrote and nothing else. Its errors never repeat the content.
func parseKeys(content []byte) (keysFile, error) {
	var f keysFile
	d := json.NewDecoder(bytes.NewReader(content))
	d.DisallowUnknownFields()
	var head storedHead
	if d.Decode(&head) != nil {
		return keysFile{}, fmt.Errorf("%w: not a file of data keys", ErrKeyRecord)
	}
	if head.Version != 1 {
		return keysFile{}, fmt.Errorf("%w: data keys of version %d, want 1", ErrKeyRecord, head.Version)
	}
	f.revision = head.Revision
	for {
		var in storedKey
		err := d.Decode(&in)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return keysFile{}, fmt.Errorf("%w: data key %d is not the JSON of one", ErrKeyRecord, len(f.records)+1)
		}
		f.records = append(f.records, KeyRecord{
			ID: in.ID, Department: in.Department, Period: in.Period, Generation: in.Generation, KEK: in.KEK, Wrapped: in.Wrapped,
			Created: timeOf(in.Created), Destroyed: timeOf(in.Destroyed), Shredded: in.Shredded, MAC: in.MAC, Revision: in.Revision,
		})
	}
	if err := f.check(); err != nil {
		return keysFile{}, err
	}
	if again, err := encodeKeys(f); err != nil || !bytes.Equal(again, content) {
		return keysFile{}, fmt.Errorf("%w: data keys in another form than they were written", ErrKeyRecord)
	}
	return f, nil
}

// check holds the records to one another: generations without gaps, ids and revisions that no two share.
func (f keysFile) check() error {
	ids, revisions := make(map[KeyID]bool, len(f.records)), make(map[int64]bool, len(f.records))
	var last KeyRecord
	for i, r := range f.records {
		if err := r.check(); err != nil {
			return err
		}
		follows := r.Department == last.Department && r.Generation == last.Generation+1
		if first := i == 0 || r.Department > last.Department; first && r.Generation == 1 {
			follows = true
		}
		switch {
		case !follows:
			return fmt.Errorf("%w: a data key before %s is missing", ErrKeyRecord, r.ID)
		case ids[r.ID] || revisions[r.Revision]:
			return fmt.Errorf("%w: %s is there twice", ErrKeyRecord, r.ID)
		case r.Revision < 1 || r.Revision > f.revision:
			return fmt.Errorf("%w: %s has no revision of the file's", ErrKeyRecord, r.ID)
		}
		ids[r.ID], revisions[r.Revision], last = true, true, r
	}
	return nil
}

// newest returns the index behind the department's records, and the newest of them; nil: there is none.
func (f keysFile) newest(department string) (int, *KeyRecord) {
	end, _ := slices.BinarySearchFunc(f.records, department, func(r KeyRecord, department string) int {
		if r.Department <= department {
			return -1
		}
		return 1
	})
	if end == 0 || f.records[end-1].Department != department {
		return end, nil
	}
	return end, &f.records[end-1]
}

// add returns f with r, or refuses it (KeyStore.Add).
func (f keysFile) add(r KeyRecord, newest int64) (keysFile, KeyRecord, error) {
	end, last := f.newest(r.Department)
	var revision int64
	if last != nil {
		revision = last.Revision
	}
	if revision != newest {
		return keysFile{}, KeyRecord{}, fmt.Errorf("%w: generation %d", ErrKeyTaken, r.Generation)
	}
	if err := r.CheckNext(last); err != nil {
		return keysFile{}, KeyRecord{}, err
	}
	if slices.ContainsFunc(f.records, func(other KeyRecord) bool { return other.ID == r.ID }) {
		return keysFile{}, KeyRecord{}, fmt.Errorf("%w: id %s", ErrKeyTaken, r.ID)
	}
	f.revision++
	r.Revision = f.revision
	f.records = slices.Insert(slices.Clone(f.records), end, r)
	return f, r, nil
}

// replace returns f with r in place of the record of its id, or refuses it (KeyStore.Replace).
func (f keysFile) replace(r KeyRecord) (keysFile, KeyRecord, error) {
	i := slices.IndexFunc(f.records, func(old KeyRecord) bool { return old.ID == r.ID })
	if i < 0 {
		return keysFile{}, KeyRecord{}, fmt.Errorf("%w: %s is not there", ErrKeyStale, r.ID)
	}
	if err := r.CheckReplace(f.records[i]); err != nil {
		return keysFile{}, KeyRecord{}, err
	}
	f.revision++
	r.Revision = f.revision
	f.records = slices.Clone(f.records)
	f.records[i] = r
	return f, r, nil
}

// since returns copies of the records with a greater revision, by revision.
func (f keysFile) since(revision int64) []KeyRecord {
	var out []KeyRecord
	for _, r := range f.records {
		if r.Revision > revision {
			out = append(out, r.clone())
		}
	}
	slices.SortFunc(out, func(a, b KeyRecord) int { return cmp.Compare(a.Revision, b.Revision) })
	return out
}

func (r KeyRecord) clone() KeyRecord {
	r.Wrapped, r.MAC = bytes.Clone(r.Wrapped), bytes.Clone(r.MAC)
	return r
}
