package render

import (
	"bytes"
	"errors"
	"maps"
	"testing"
)

func TestPack(t *testing.T) {
	t.Parallel()
	assets := map[string][]byte{"b": []byte("2"), "a.png": {}}
	packed := Pack([]byte("face: 1\n"), assets)
	if want := "8:face: 1\n5:a.png0:1:b1:2"; string(packed) != want {
		t.Errorf("the frozen form has changed: %q, want %q", packed, want)
	}
	yaml, again, err := Unpack(packed)
	if err != nil || string(yaml) != "face: 1\n" || !maps.EqualFunc(again, assets, bytes.Equal) {
		t.Errorf("Unpack: %q, %v, %v", yaml, again, err)
	}
	for _, bad := range []string{"", "1", "2:a", ":", "-1:", "+1:a", "01:a", "1:a1:b", "0:1:b1:x1:a1:y", "0:1:a1:x1:a1:y", "0:x"} {
		if _, _, err := Unpack([]byte(bad)); !errors.Is(err, ErrPacked) {
			t.Errorf("%q: error %v", bad, err)
		}
	}
}

// FuzzUnpack: what is unpacked packs to the same.
func FuzzUnpack(f *testing.F) {
	f.Add([]byte("8:face: 1\n5:a.png0:1:b1:2"))
	f.Fuzz(func(t *testing.T, packed []byte) {
		yaml, assets, err := Unpack(packed)
		if err == nil && !bytes.Equal(Pack(yaml, assets), packed) {
			t.Errorf("%q is unpacked, and packs to %q", packed, Pack(yaml, assets))
		}
	})
}
