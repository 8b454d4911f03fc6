package audit

import (
	"cmp"
	"encoding/binary"
	"encoding/json"
	"errors"
	"hash/crc32"
	"hash/fnv"
	"io"
	"maps"
	"path/filepath"
	"slices"
	"sort"
	"strings"
	"time"
)

// The index of a sealed segment says which of its records have a term: a field and its value, as the first 64 bits that
// FNV-1a gives. Hits are read and compared, so a collision costs time, never a wrong answer. It is made from the segment
// alone, to the same bytes each time, and may be deleted at any time. Integers are big-endian.
//
//	magic "LGINDEXS" | version u16 = 1 | first sequence u64 | time of the earliest record, of the latest: ns since 1970, i64
//	| number of records u32 | number of terms u32
//	| for each record: offset in the plain segment u32
//	| for each term, in order: hash u64 | where its records begin, in bytes of what follows u32
//	| records of each term, one after another: uvarint of the number in the segment, from 0, less that of the one before
//	| CRC-32C of all this u32
const (
	indexSuffix  = ".idx"
	indexMagic   = "LGINDEXS"
	indexVersion = 1
	indexFixed   = len(indexMagic) + 2 + 8 + 8 + 8 + 4 + 4
	indexTerm    = 8 + 4
)

// termOf hashes a field and its value.
func termOf(field, value string) uint64 {
	h := fnv.New64a()
	_, _ = io.WriteString(h, field) // a hash does not fail
	_, _ = h.Write([]byte{0})
	_, _ = io.WriteString(h, value)
	return h.Sum64()
}

// terms calls visit for each term of r. The fields are those of Query.
func (r *Record) terms(visit func(field, value string)) {
	visit("department", r.Department)
	visit("app", r.App)
	visit("account", r.Account)
	visit("interface", r.Interface)
	visit("item", r.Item)
	visit("response", r.ResponseID)
	visit("response", r.AttemptOf)
	visit("correlation", r.CorrelationID)
	visit("outcome", r.Outcome)
	visit("event", r.Event)
	visit("kind", r.Kind)
	for _, l := range r.Licences {
		visit("licence", l)
	}
	for _, i := range r.Identities {
		visit("identity", i)
	}
}

// terms returns the terms that all records have which q selects.
func (q *Query) terms() []uint64 {
	var list []uint64
	add := func(field, value string) {
		if value != "" {
			list = append(list, termOf(field, value))
		}
	}
	(&Record{
		Department: q.Department, App: q.App, Account: q.Account, Interface: q.Interface, Item: q.Item, ResponseID: q.ResponseID,
		CorrelationID: q.CorrelationID, Outcome: q.Outcome, Event: q.Event, Kind: q.Kind, Licences: []string{q.Licence}, Identities: []string{q.Identity},
	}).terms(add)
	return list
}

// indexer gathers what an index holds.
type indexer struct {
	first        uint64
	since, until int64
	offsets      []uint32
	postings     map[uint64][]uint32
}

func newIndexer(first uint64) *indexer {
	return &indexer{first: first, postings: make(map[uint64][]uint32)}
}

func (x *indexer) add(offset int64, r *Record) {
	n := uint32(len(x.offsets))
	at := r.Time.UnixNano()
	if n == 0 || at < x.since {
		x.since = at
	}
	if n == 0 || at > x.until {
		x.until = at
	}
	x.offsets = append(x.offsets, uint32(offset))
	r.terms(func(field, value string) {
		if value == "" {
			return
		}
		term := termOf(field, value)
		if list := x.postings[term]; len(list) == 0 || list[len(list)-1] != n {
			x.postings[term] = append(list, n)
		}
	})
}

// bytes returns the index in its stored form.
func (x *indexer) bytes() []byte {
	b := append([]byte(nil), indexMagic...)
	b = binary.BigEndian.AppendUint16(b, indexVersion)
	b = binary.BigEndian.AppendUint64(b, x.first)
	b = binary.BigEndian.AppendUint64(b, uint64(x.since))
	b = binary.BigEndian.AppendUint64(b, uint64(x.until))
	b = binary.BigEndian.AppendUint32(b, uint32(len(x.offsets)))
	b = binary.BigEndian.AppendUint32(b, uint32(len(x.postings)))
	for _, offset := range x.offsets {
		b = binary.BigEndian.AppendUint32(b, offset)
	}
	var lists []byte
	for _, term := range slices.Sorted(maps.Keys(x.postings)) {
		b = binary.BigEndian.AppendUint64(b, term)
		b = binary.BigEndian.AppendUint32(b, uint32(len(lists)))
		last := uint32(0)
		for _, n := range x.postings[term] {
			lists = binary.AppendUvarint(lists, uint64(n-last))
			last = n
		}
	}
	b = append(b, lists...)
	return binary.BigEndian.AppendUint32(b, crc32.Checksum(b, castagnoli))
}

// makeIndex writes the index of a sealed segment. A segment with damage gets none: it is always read whole.
func makeIndex(system fileSystem, dir, name string, rest func() error) (made bool, _ error) {
	s, err := openSegment(system, dir, name)
	if err != nil {
		return false, err
	}
	content, err := s.index(rest)
	if err = errors.Join(err, s.close()); err != nil || content == nil {
		return false, err
	}
	return true, placeWhole(system, dir, name+indexSuffix, content)
}

// index reads the segment; nil: it has damage.
func (s *scanner) index(rest func() error) ([]byte, error) {
	if s.broken != "" {
		return nil, nil
	}
	x := newIndexer(s.header.first)
	for expected := s.header.first; ; expected++ {
		offset := s.offset
		f, damage, err := s.next(expected)
		switch {
		case err == io.EOF:
			return x.bytes(), nil
		case err != nil:
			return nil, err
		case damage != nil || f.sequence() != expected:
			return nil, nil
		}
		var r Record
		if json.Unmarshal(f.payload, &r) != nil {
			return nil, nil
		}
		x.add(offset, &r)
		if len(x.offsets)%1024 == 0 {
			if err := rest(); err != nil {
				return nil, err
			}
		}
	}
}

// index is one that was read.
type index struct {
	first        uint64
	since, until time.Time
	offsets      []byte
	terms        []byte
	lists        []byte
}

var errIndex = errors.New("audit: not an index")

// readIndex returns the index of a segment, or errIndex when there is none that is whole.
func readIndex(system fileSystem, dir, name string) (*index, error) {
	content, err := readAll(system, filepath.Join(dir, strings.TrimSuffix(name, packedSuffix)+indexSuffix))
	if err != nil {
		return nil, err
	}
	x, err := decodeIndex(content)
	if err == nil && x.first != segmentFirst(strings.TrimSuffix(name, packedSuffix)) {
		return nil, errIndex
	}
	return x, err
}

func decodeIndex(b []byte) (*index, error) {
	if len(b) < indexFixed+4 || string(b[:len(indexMagic)]) != indexMagic || binary.BigEndian.Uint16(b[8:]) != indexVersion {
		return nil, errIndex
	}
	body := b[:len(b)-4]
	if binary.BigEndian.Uint32(b[len(body):]) != crc32.Checksum(body, castagnoli) {
		return nil, errIndex
	}
	x := &index{
		first: binary.BigEndian.Uint64(b[10:]),
		since: time.Unix(0, int64(binary.BigEndian.Uint64(b[18:]))), until: time.Unix(0, int64(binary.BigEndian.Uint64(b[26:]))),
	}
	records, terms := int64(binary.BigEndian.Uint32(b[34:])), int64(binary.BigEndian.Uint32(b[38:]))
	if int64(indexFixed)+4*records+indexTerm*terms > int64(len(body)) {
		return nil, errIndex
	}
	x.offsets, body = body[indexFixed:int64(indexFixed)+4*records], body[int64(indexFixed)+4*records:]
	x.terms, x.lists = body[:indexTerm*terms], body[indexTerm*terms:]
	return x, nil
}

func (x *index) records() int { return len(x.offsets) / 4 }

func (x *index) offset(n uint32) int64 { return int64(binary.BigEndian.Uint32(x.offsets[4*n:])) }

// list returns the records of a term, in order.
func (x *index) list(term uint64) ([]uint32, error) {
	count := len(x.terms) / indexTerm
	i := sort.Search(count, func(i int) bool { return binary.BigEndian.Uint64(x.terms[i*indexTerm:]) >= term })
	if i == count || binary.BigEndian.Uint64(x.terms[i*indexTerm:]) != term {
		return nil, nil
	}
	begin, end := binary.BigEndian.Uint32(x.terms[i*indexTerm+8:]), uint32(len(x.lists))
	if i+1 < count {
		end = binary.BigEndian.Uint32(x.terms[(i+1)*indexTerm+8:])
	}
	if begin > end || int(end) > len(x.lists) {
		return nil, errIndex
	}
	var list []uint32
	last := uint64(0)
	for b := x.lists[begin:end]; len(b) > 0; {
		step, n := binary.Uvarint(b)
		if n <= 0 || step == 0 && len(list) > 0 || last+step >= uint64(x.records()) {
			return nil, errIndex
		}
		last += step
		list = append(list, uint32(last))
		b = b[n:]
	}
	return list, nil
}

// hits returns the records that have all terms, and are about a holder unless that is nil.
func (x *index) hits(terms []uint64, about *About) ([]uint32, error) {
	var lists [][]uint32
	if about != nil {
		list, err := x.about(about)
		if err != nil || len(list) == 0 {
			return nil, err
		}
		lists = append(lists, list)
	}
	for _, term := range terms {
		list, err := x.list(term)
		if err != nil || len(list) == 0 {
			return nil, err
		}
		lists = append(lists, list)
	}
	slices.SortFunc(lists, func(a, b []uint32) int { return cmp.Compare(len(a), len(b)) })
	hits := lists[0]
	for _, list := range lists[1:] {
		both := hits[:0]
		for _, n := range hits {
			if _, found := slices.BinarySearch(list, n); found {
				both = append(both, n)
			}
		}
		hits = both
	}
	return hits, nil
}

// about returns the records about a holder, in order.
func (x *index) about(a *About) ([]uint32, error) {
	all, err := x.list(termOf("identity", a.Identity))
	for _, l := range a.Licences {
		list, listErr := x.list(termOf("licence", l))
		all, err = append(all, list...), cmp.Or(err, listErr)
	}
	slices.Sort(all)
	return slices.Compact(all), err
}
