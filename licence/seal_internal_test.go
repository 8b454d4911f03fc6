package licence

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
)

var update = flag.Bool("update", false, "write golden files; only with a new format")

// full sets every member, so that one forgotten in the encoding is found out.
func full() *Licence {
	return &Licence{
		Code: "110000202600000001", Item: "305018201", Name: "内地居民婚姻登记证", IDCode: "J<1>&2", State: Abolished, Revision: 7,
		Department: "11110000000021135M", HolderName: "李大华", HolderIdentityType: "10", HolderIdentityNum: "110105*****",
		HolderIdentityNums: []string{"110105*****", "110102*****"}, IssueOrgName: "北京市民政局", IssueOrgCode: "11110000000021135M",
		Division: "北京市", DivisionCode: "110000", IssueDate: "2026-03-05", BeginDate: "2026-03-06", ExpiryDate: "2031-03-05",
		Group: "1", Face: "5e884898da28047151d0e56f8dc6292773603d0d6aabbdd62a11ef721d1542d8", SealCode: "SEAL-0", BizNum: "20200721123", ServiceItem: "110103MZ001", ServiceItemName: "婚姻登记",
		Fields: map[string]any{
			"ZP": map[string]any{"file_suffix": "png", "file_data": "iVBORw0KGgo="}, "CZR": "李大华", "N": json.Number("1.50"), "B": false,
			"A": []any{nil, true, "x\n\u2028"}, "E": "",
		},
		Version: "2", TrustLevel: "A", Correlative: "110000202500000001",
		Creator: "creator", CreationTime: time.UnixMilli(1_772_683_200_123).UTC(), Issuer: "issuer", IssueTime: time.UnixMilli(1_772_683_201_000).UTC(),
		Abolisher: "abolisher", AbolishTime: time.UnixMilli(1_772_683_202_000).UTC(), AbolishReason: "变更",
		LastModificator: "last", LastModificationTime: time.UnixMilli(1_772_683_202_000).UTC(),
	}
}

func TestSealedEncodingIsFrozen(t *testing.T) {
	t.Parallel()
	least := &Licence{Code: "110000202600000001", Item: "1", Name: "证", State: Registered, Revision: 1, Department: "D", Fields: map[string]any{}}
	for name, l := range map[string]*Licence{"full": full(), "least": least} {
		got, err := encode(l)
		if err != nil {
			t.Fatal(err)
		}
		file := filepath.Join("testdata", "sealed-2-"+name+".golden")
		if *update {
			if err := os.WriteFile(file, got, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		golden, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, golden) {
			t.Errorf("%s: the frozen format has changed; make a new one\n got %q\nwant %q", name, got, golden)
		}
		back, err := decode(golden)
		if err != nil || !reflect.DeepEqual(back, l) {
			t.Errorf("%s: decode = %+v, %v\nwant %+v", name, back, err, l)
		}
	}
	for name, l := range map[string]*Licence{"full": full(), "least": least} { // what was sealed before there were faces
		golden, err := os.ReadFile(filepath.Join("testdata", "sealed-1-"+name+".golden"))
		if err != nil {
			t.Fatal(err)
		}
		l.Face = ""
		if back, err := decode(golden); err != nil || !reflect.DeepEqual(back, l) {
			t.Errorf("%s of format 1: decode = %+v, %v\nwant %+v", name, back, err, l)
		}
	}
	for i, v := 0, reflect.ValueOf(*full()); i < v.NumField(); i++ {
		if v.Field(i).IsZero() {
			t.Errorf("full() leaves %s out: a new member of Licence is a new sealed format", v.Type().Field(i).Name)
		}
	}
	if got := string(associated("110000202600000001", 7)); got != "licgate/licence/2/sealed/110000202600000001/7" {
		t.Errorf("associated = %q", got)
	}
	if got := string(former("110000202600000001")); got != "licgate/licence/1/sealed/110000202600000001" {
		t.Errorf("former = %q", got)
	}
}

func TestDecodeRefuses(t *testing.T) {
	t.Parallel()
	good, err := encode(full())
	if err != nil {
		t.Fatal(err)
	}
	for name, bad := range map[string][]byte{
		"nothing":        nil,
		"format 0":       append([]byte{0}, good[1:]...),
		"format 3":       append([]byte{3}, good[1:]...),
		"a face in 1":    append([]byte{1}, good[1:]...),
		"format alone":   good[:1],
		"cut":            good[:len(good)-1],
		"something more": append(bytes.Clone(good), '{', '}'),
		"unknown member": []byte("\x01{\"code\":\"1\",\"secret\":\"李大华\"}"),
		"wrong type":     []byte("\x01{\"code\":1}"),
	} {
		l, err := decode(bad)
		if err == nil {
			t.Errorf("%s: decoded %+v", name, l)
		} else if strings.Contains(err.Error(), "李大华") || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: error %q quotes the content", name, err)
		}
	}
}

// FuzzDecode: what decodes encodes to bytes that decode to the same.
func FuzzDecode(f *testing.F) {
	for _, name := range []string{"1-full", "1-least", "2-full", "2-least"} {
		golden, err := os.ReadFile(filepath.Join("testdata", "sealed-"+name+".golden"))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(golden)
	}
	f.Add([]byte("\x01{\"creation_time\":-9223372036854775808}"))
	f.Fuzz(func(t *testing.T, plaintext []byte) {
		l, err := decode(plaintext)
		if err != nil {
			return
		}
		again, err := encode(l)
		if err != nil {
			t.Fatalf("encode after decode: %v", err)
		}
		if back, err := decode(again); err != nil || !reflect.DeepEqual(back, l) {
			t.Errorf("decode(encode) = %+v, %v; want %+v", back, err, l)
		}
	})
}
