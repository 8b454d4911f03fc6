package protocol

import (
	"flag"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the generated documents and golden files anew")

// post makes a POST with a JSON body and an optional query.
func post(body, query string) *http.Request {
	r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(body))
	r.URL.RawQuery = query
	r.Header.Set("Content-Type", "application/json")
	return r
}

func get(query string) *http.Request {
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.URL.RawQuery = query
	return r
}

func decode(r *http.Request, i Interface) (*Call, *Failure) {
	return Decode(r, Find(i), "", DefaultLimits)
}

// wantFailure checks code and detail.
func wantFailure(t *testing.T, f *Failure, code *Code, detail string) {
	t.Helper()
	switch {
	case f == nil:
		t.Fatalf("accepted, want %s %q", code.Number, detail)
	case f.Code != code || f.Detail != detail:
		t.Fatalf("failure is %s %q, want %s %q", f.Code.Number, f.Detail, code.Number, detail)
	}
}

// golden compares with a file, or writes it under -update.
func golden(t *testing.T, file string, got []byte) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, got, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if string(want) != string(got) {
		t.Errorf("%s is stale: run go generate ./protocol, or go test ./protocol -update, and read the difference", file)
	}
}

func detailOf(f *Failure) string {
	if f == nil {
		return ""
	}
	return f.Detail
}
