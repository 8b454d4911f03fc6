package audit

import (
	"bytes"
	"encoding/hex"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"licgate/audit/ledger"
)

// TestFormatIsFrozen holds the bytes of version 1: journals of years ago must read.
func TestFormatIsFrozen(t *testing.T) {
	t.Parallel()
	const golden = "" +
		"4c474a4f55524e4c000100040000000000000001000000000000000000000000000000000000000000000000000000000000000067772d312eebd7fa" +
		"000000e04edf52b800000000ad2954927276d55b133223b20cd9712d1aa9009a5046f660bb31ae26c1697c3e7b22726573706f6e73655f6964223a22" +
		"61222c226e6f6465223a2267772d31222c2273657175656e6365223a312c2274696d65223a22323032302d30352d32325431303a33303a30302e3132" +
		"333435363738392b30383a3030222c226576656e74223a2272657175657374222c22617070223a226879646a222c226465706172746d656e74223a22" +
		"31313131303030303030303032313133354d222c22696e74657266616365223a226765745f6c6963656e7365222c22616c6c6f77223a747275652c22" +
		"6f7574636f6d65223a2253554343455353222c226d73223a312e357d000000e0dc214961000000008f48b1a6a4c2fef720a969e5f0eb0657ce8310cd" +
		"4708bd01f634a12d989d12397b22726573706f6e73655f6964223a2262222c226e6f6465223a2267772d31222c2273657175656e6365223a322c2274" +
		"696d65223a22323032302d30352d32325431303a33303a30302e3132333435363738392b30383a3030222c226576656e74223a227265717565737422" +
		"2c22617070223a226879646a222c226465706172746d656e74223a2231313131303030303030303032313133354d222c22696e74657266616365223a" +
		"226765745f6c6963656e7365222c22616c6c6f77223a747275652c226f7574636f6d65223a2253554343455353222c226d73223a312e357d"
	dir := t.TempDir()
	j, _ := openTest(t, dir, Options{Node: "gw-1"})
	for _, id := range []string{"a", "b"} {
		appendTest(t, j, id)
	}
	closeTest(t, j)
	b, err := os.ReadFile(filepath.Join(dir, "000000000001.seg"))
	if err != nil {
		t.Fatal(err)
	}
	if got := hex.EncodeToString(b); got != golden {
		t.Errorf("got %s", got)
	}
	h, err := os.ReadFile(filepath.Join(dir, headName))
	if want := `{"version":1,"sequence":2,"chain":"8f48b1a6a4c2fef720a969e5f0eb0657ce8310cd4708bd01f634a12d989d1239"}` + "\n"; err != nil || string(h) != want {
		t.Errorf("head %s, %v", h, err)
	}
}

func TestHeader(t *testing.T) {
	t.Parallel()
	for _, want := range []header{
		{node: "", first: 1},
		{node: "北京-1", first: 1 << 60, previous: ledger.Chain{1, 2, 3}},
		{node: strings.Repeat("n", maxNode), first: 7},
	} {
		b := want.append(nil)
		got, size, err := decodeHeader(append(b[:len(b):len(b)], "frames"...))
		if err != nil || got != want || size != len(b) {
			t.Errorf("got %+v, %d, %v", got, size, err)
		}
		for i := range b { // no change goes unseen, no cut
			changed := bytes.Clone(b)
			changed[i] ^= 0x10
			if _, _, err := decodeHeader(changed); err == nil {
				t.Errorf("a change at %d is not seen", i)
			}
			if _, _, err := decodeHeader(b[:i]); !errors.Is(err, errHeader) {
				t.Errorf("cut at %d: %v", i, err)
			}
		}
	}
	if _, _, err := decodeHeader(header{node: strings.Repeat("n", maxNode+1), first: 1}.append(nil)); !errors.Is(err, errHeader) {
		t.Errorf("a long name: %v", err)
	}
}

func TestFrame(t *testing.T) {
	t.Parallel()
	want := frame{index: 3, chain: ledger.Chain{9}, payload: []byte(`{"node":"n","sequence":42,"time":""}`)}
	b := want.append([]byte("before"))[len("before"):]
	got, err := decodeFrame(append(bytes.Clone(b), "next"...))
	if err != nil || got.index != want.index || got.chain != want.chain || !bytes.Equal(got.payload, want.payload) || got.size() != len(b) {
		t.Errorf("got %+v, %v", got, err)
	}
	if got.sequence() != 42 || got.firstOfWrite() != 39 {
		t.Errorf("sequence %d, first of its write %d", got.sequence(), got.firstOfWrite())
	}
	for i := range b {
		changed := bytes.Clone(b)
		changed[i] ^= 0x10
		if _, err := decodeFrame(changed); err == nil {
			t.Errorf("a change at %d is not seen", i)
		}
		if _, err := decodeFrame(b[:i]); !errors.Is(err, errShort) {
			t.Errorf("cut at %d: %v", i, err)
		}
	}
	for _, payload := range [][]byte{nil, make([]byte, maxFrame-frameFixed+1)} {
		if _, err := decodeFrame(frame{payload: payload}.append(nil)); !errors.Is(err, errLength) {
			t.Errorf("%d bytes: %v", len(payload), err)
		}
	}
	for _, payload := range []string{`{}`, `{"node":"n","sequence":-1,`, `{"node":"n","sequence":1`, `{"node":"n","sequence":99999999999999999999,`} {
		if f := (frame{payload: []byte(payload)}); f.sequence() != 0 || f.firstOfWrite() != 0 {
			t.Errorf("%s has sequence %d", payload, f.sequence())
		}
	}
}

func TestSegmentNames(t *testing.T) {
	t.Parallel()
	for first, name := range map[uint64]string{1: "000000000001.seg", 123456789012345: "123456789012345.seg"} {
		if got := segmentName(first); got != name || segmentFirst(name) != first {
			t.Errorf("%d: %s, back %d", first, got, segmentFirst(name))
		}
	}
	for _, name := range []string{"1.seg", "000000000000.seg", "head", "000000000001.seg.new", "00000000000a.seg", "0000000000001.seg", ""} {
		if first := segmentFirst(name); first != 0 {
			t.Errorf("%s is segment %d", name, first)
		}
	}
}

// FuzzFrame holds that what decodes is what was encoded.
func FuzzFrame(f *testing.F) {
	whole := frame{index: 1, chain: ledger.Chain{7}, payload: []byte(`{"node":"n","sequence":2,"time":""}`)}.append(nil)
	f.Add(whole)
	f.Add(whole[:len(whole)-1])
	f.Add(append(make([]byte, 50), whole...))
	f.Add([]byte{0xFF, 0xFF, 0xFF, 0xFF})
	f.Add([]byte{})
	f.Add(header{node: "n", first: 1}.append(nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		if got, err := decodeFrame(b); err == nil && !bytes.Equal(got.append(nil), b[:got.size()]) {
			t.Errorf("%x is decoded to %+v", b, got)
		}
		if h, size, err := decodeHeader(b); err == nil && !bytes.Equal(h.append(nil), b[:size]) {
			t.Errorf("%x is decoded to %+v", b, h)
		}
		if at, got := findFrame(b, 0); at >= 0 && !bytes.Equal(got.append(nil), b[at:at+got.size()]) {
			t.Errorf("%x: found %+v at %d", b, got, at)
		}
	})
}

// FuzzOpen damages the last segment in one place, cuts it and puts bytes behind it. Reading ends without error, opening
// and verifying agree, and opening cuts off nothing that was surely confirmed.
func FuzzOpen(f *testing.F) {
	made := f.TempDir()
	fill(f, made, 5, 100)
	segment, err := os.ReadFile(filepath.Join(made, segmentName(1)))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(uint16(0), byte(0), uint16(0), []byte{})
	f.Add(uint16(60), byte(1), uint16(0), []byte{})
	f.Add(uint16(700), byte(0xFF), uint16(30), []byte("tail"))
	f.Add(uint16(20), byte(2), uint16(1000), make([]byte, 40))
	f.Fuzz(func(t *testing.T, at uint16, flip byte, short uint16, tail []byte) {
		b := bytes.Clone(segment)
		b[int(at)%len(b)] ^= flip
		b = append(b[:len(b)-int(short)%len(b)], tail...)
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, segmentName(1)), b, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := writeHead(newFaulty(), dir, place{}); err != nil {
			t.Fatal(err)
		}
		report := verifyTest(t, dir)
		if _, err := Export(t.Context(), dir, Query{}, io.Discard); (err != nil) != (report.Fault != nil) || err != nil && !errors.Is(err, ErrDamaged) {
			t.Errorf("verify %+v, export %v", report.Fault, err)
		}
		j, repair, err := openJournal(newFaulty(), dir, Options{Node: "gw-1"})
		if err != nil {
			t.Fatal(err)
		}
		appendTest(t, j, "after")
		closeTest(t, j)
		if (repair.Damage != nil) != (report.Fault != nil) || repair.Bytes != report.Torn {
			t.Errorf("verify %+v, opening %+v", report, repair)
		}
		for from, g := findFrame(b, len(b)-int(repair.Bytes)); from >= 0; from, g = findFrame(b, from+g.size()) {
			if repair.Bytes > 0 && g.firstOfWrite() > report.Records+1 {
				t.Errorf("cut off a write that was confirmed: %d bytes of %d", repair.Bytes, len(b))
			}
		}
		if again := verifyTest(t, dir); (again.Fault != nil) != (report.Fault != nil) {
			t.Errorf("before %+v, after opening %+v", report.Fault, again.Fault)
		}
	})
}
