package client

import (
	"errors"
	"testing"
)

// Whatever comes as an answer is an answer or an *Error, and the typed data or an *Error.
func FuzzReadAnswer(f *testing.F) {
	for _, body := range []string{
		`{"ack_code":"SUCCESS","errors":[],"response_id":"r","correlation_id":"c","data":{"license_code":"L"}}`,
		`{"ack_code":"SUCCESS","data":null,"access_token":"lgs1_x"}`,
		`{"ack_code":"FAILURE","errors":[{"code":"40010","message":"m","inner_code":null}],"data":null}`,
		`{"ack_code":"FAILURE","errors":null}`,
		`{"ack_code":"SUCCESS","total_count":null,"auth_codes":[null],"data":[]}`,
		`{"ack_code":"SUCCESS","data":[{"data_fields":{"a":[1]}}]}`, `null`, `[]`, `<html>`, ``,
	} {
		f.Add(200, []byte(body))
		f.Add(502, []byte(body))
	}
	f.Fuzz(func(t *testing.T, status int, body []byte) {
		raw, err := readAnswer(status, body)
		if raw == nil {
			t.Fatal("no answer")
		}
		var e *Error
		if err != nil && (!errors.As(err, &e) || e.Message == "" && e.Code == "" && e.ResponseID == "" && len(body) == 0) {
			t.Fatalf("%v", err)
		}
		if err == nil && status != 200 {
			t.Fatal("a success with another status")
		}
		a, err := typed[[]License](raw, err)
		if (a == nil) == (err == nil) || err != nil && !errors.As(err, &e) {
			t.Fatalf("%v %v", a, err)
		}
	})
}
