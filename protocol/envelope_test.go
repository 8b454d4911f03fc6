package protocol

import (
	"bytes"
	"encoding/json"
	"math"
	"testing"
	"time"
)

// at has a time of day that is another date in UTC than in Shanghai.
var at = time.Date(2020, 6, 22, 18, 15, 13, 123_456_789, time.UTC)

// Each case is a golden file: testdata/envelope/<name>.json.
func TestEnvelopes(t *testing.T) {
	t.Parallel()
	two := 2
	refused := &Failure{Code: CodeNoAbolish, Inner: "not_found"}
	token := AccessToken{ExpiresIn: Time(at, true), LicenseAccessToken: "TOKEN"}
	lists := []License{{LicenseCode: "110000202000000001", DataFields: map[string]any{"ZZMC": "<证>", "N": json.Number("1.50")}}}
	for name, a := range map[string]Answer{
		"login":                {Interface: Login, AccessToken: "TOKEN"},
		"login_refused":        {Interface: Login, Failure: Fail(CodeCredentials, ""), AccessToken: "NEVER"},
		"logout":               {Interface: Logout, CorrelationID: "r-1"},
		"get_current_user":     {Interface: GetCurrentUser, Data: UserInfo{Account: "bj_admin", Creator: "admin"}},
		"list":                 {Interface: List, TotalCount: &two, Data: []LicenseItem{{LicenseItemCode: "100185101", IsOpen: true}}},
		"list_empty":           {Interface: List, TotalCount: new(int), Data: []LicenseItem(nil)},
		"list_refused":         {Interface: List, Failure: Fail(CodeParameter, "page_size 最大为 150"), TotalCount: &two, Data: lists},
		"create":               {Interface: Create, Data: Made{LicenseCode: "11000016D000020", AuthCode: "A&B<C>"}},
		"abolish_refused":      {Interface: Abolish, Failure: refused, CorrelationID: "r-1", Data: "NEVER"},
		"auth":                 {Interface: Auth, TotalCount: &two, AuthCodes: []string{"aaa", "bbb"}, Data: lists},
		"auth_empty":           {Interface: Auth, TotalCount: new(int)},
		"psn_holder_refused":   {Interface: PsnHolder, Failure: Fail(CodeCredential, ""), AuthCodes: []string{"NEVER"}},
		"token":                {Interface: Token, Data: token},
		"token_refused":        {Interface: Token, Failure: Fail(CodeNoCode, ""), Data: token},
		"get_license":          {Interface: GetLicense, Data: &lists[0]},
		"get_token_qr":         {Interface: GetTokenQR, Data: &token},
		"get_token_qr_refused": {Interface: GetTokenQR, Failure: Fail(CodeMissing, "auth_code_qr")},
		"archive":              {Interface: Archive, Data: File{FileName: "a.pdf", FileData: "BDAAUDBAQE/Z"}},
		"archive_list": {Interface: ArchiveList, TotalCount: &two, Data: ArchivePage{
			Licenses:  []ArchiveEntry{{LicenseCode: "110000202000000001", IssueDate: "2020-06-22", IssueTime: Time(at, false), AuthCode: "aaa"}},
			NextAfter: new("110000202000000001"),
		}},
		"archive_list_end": {Interface: ArchiveList, Data: ArchivePage{Licenses: []ArchiveEntry{}}},
		"batch_sign":       {Interface: BatchSign, Data: map[string]any{"result": []BatchSignResult{{"a", "SUCCESS", "signSuccess"}}}},
		"unknown_path":     {Failure: Fail(CodeNoPath, "")},
	} {
		a.At, a.ResponseID = at, "dfc1be0d-ca4f-4a98-bb71-bad846434f8d"
		got, err := a.Encode()
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if !json.Valid(got) || bytes.ContainsRune(got, '\n') {
			t.Errorf("%s: not one line of JSON: %s", name, got)
		}
		if bytes.Contains(got, []byte("NEVER")) {
			t.Errorf("%s: a refusal carries data: %s", name, got)
		}
		golden(t, "testdata/envelope/"+name+".json", append(got, '\n'))
	}
}

// The address of data does not matter to what token repeats.
func TestEncodeTokenByPointer(t *testing.T) {
	t.Parallel()
	d := AccessToken{ExpiresIn: "e", LicenseAccessToken: "t"}
	byValue, err1 := (&Answer{Interface: Token, Data: d}).Encode()
	byPointer, err2 := (&Answer{Interface: Token, Data: &d}).Encode()
	if err1 != nil || err2 != nil || !bytes.Equal(byValue, byPointer) {
		t.Errorf("%s %v, %s %v", byValue, err1, byPointer, err2)
	}
}

func TestEncodeFails(t *testing.T) {
	t.Parallel()
	for name, a := range map[string]Answer{
		"not JSON":         {Interface: Create, Data: math.NaN()},
		"not JSON, early":  {Interface: GetTokenQR, Data: math.NaN()},
		"token, no data":   {Interface: Token},
		"token, nil data":  {Interface: Token, Data: (*AccessToken)(nil)},
		"token, other":     {Interface: Token, Data: map[string]any{"expires_in": ""}},
		"code, not digits": {Interface: GetTokenQR, Failure: Fail(&Code{Number: "x"}, "")},
	} {
		if got, err := a.Encode(); err == nil || got != nil {
			t.Errorf("%s: %s", name, got)
		}
	}
}

func TestTime(t *testing.T) {
	t.Parallel()
	if got, want := Time(at, true), "2020-06-23 02:15:13.123"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	if got, want := Time(at, false), "2020-06-23 02:15:13"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	if got, want := Time(time.Date(2020, 1, 1, 0, 0, 0, 0, time.FixedZone("", -3600)), true), "2020-01-01 09:00:00.000"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}
