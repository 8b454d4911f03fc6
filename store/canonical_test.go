package store

import (
	"encoding/hex"
	"testing"
	"time"

	"licgate/gm"
	"licgate/licence"
	"licgate/policy"
)

// The canonical forms are frozen: docs/formats.md.
func TestCanonicalForms(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 3, 1, 9, 30, 0, 123456789, time.UTC)
	text := "# 说明"
	full := licence.Stored{
		Code: "11000020260000000A", Item: "305018201", Department: "D1", DivisionCode: "110000", BizNum: "B", State: licence.Issued, Revision: 2,
		IDCodeDigest: []byte{1}, HolderDigests: [][]byte{{2}, {3}, {2}}, Created: at, IssueTime: at.Add(time.Second), Sealed: []byte{4, 5},
	}
	version := storedVersion{
		Version: policy.Version{Number: 7, By: "a", Why: "b", ApprovedBy: "c", Parent: "d", Hash: "e", Changes: []byte("f"), Platform: []byte("g")},
		at:      "2026-03-01T09:30:00Z", lines: `["p"]`, text: &text, objects: []byte{6},
	}
	bare := version
	bare.text = nil
	for _, one := range []struct {
		row  authenticated
		key  string
		want string
	}{
		{licenceRow(&full), "licence 11000020260000000A 2", licenceForm},
		{licenceRow(&licence.Stored{Code: "X", State: licence.Deleted, Revision: 1}), "licence X 1", deletedForm},
		{objectRow(object{"account", "a", 3, "{}"}), "registry/account a 0", "0000000000000003000000027b7d"},
		{faceRow(&face{version: "ab", body: []byte("face")}), "face ab 0", "0000000466616365"},
		{versionRow(&version), "policy-version 7 7", versionForm + "0000000000000001" + "00000008" + hex.EncodeToString([]byte(text)) + "0000000106"},
		{versionRow(&bare), "policy-version 7 7", versionForm + "0000000000000000" + "00000000" + "0000000106"},
	} {
		if got := one.row.kind + " " + one.row.key + " " + string(rune('0'+one.row.revision)); got != one.key {
			t.Errorf("row %s, want %s", got, one.key)
		}
		if got := hex.EncodeToString(one.row.content); got != one.want {
			t.Errorf("%s\n got %s\nwant %s", one.key, got, one.want)
		}
	}
	sum := gm.SM3(canonical("account", "a", int64(3), "{}"))
	if got := objectsDigest([]object{{"account", "a", 3, "{}"}}); string(got) != string(sum[:]) {
		t.Errorf("digest of the registry %x", got)
	}
}

const (
	licenceForm = "00000009333035303138323031" + "000000024431" + "00000006313130303030" + "0000000142" + "00000006495353554544" + "0000000101" +
		"1898adaa4164bd15" + "1898adaa7cff8715" + "000000020405" + "0000000000000002" + "0000000102" + "0000000103"
	deletedForm = "00000000" + "00000000" + "00000000" + "00000000" + "0000000744454c45544544" + "00000000" +
		"0000000000000000" + "0000000000000000" + "00000000" + "0000000000000000"
	versionForm = "00000014323032362d30332d30315430393a33303a30305a" + "0000000161" + "0000000162" + "0000000163" + "0000000164" + "0000000165" +
		"000000055b2270225d" + "0000000166" + "0000000167"
)
