package redact

import (
	"encoding/json"
	"strings"
	"testing"
)

// secretsOf are invented; check digits are right.
const (
	person = "11010119800229123X"
	older  = "110105491231002"
	phone  = "13812345678"
	token  = "lgs1_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
)

func TestLine(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ line, want string }{
		"plain":              {`{"level":"info","msg":"licgate is serving","policy_version":12}`, `{"level":"info","msg":"licgate is serving","policy_version":12}`},
		"query":              {`{"uri":"/license/token?auth_code=abc&x=1"}`, `{"uri":"/license/token?REDACTED"}`},
		"header list":        {`{"headers":{"Authorization":["Bearer abc"],"Accept":["*/*"]}}`, `{"headers":{"Authorization":"REDACTED","Accept":["*/*"]}}`},
		"token":              {`msg ` + token + ` end`, `msg REDACTED end`},
		"bearer":             {`said Bearer abc.def today`, `said Bearer REDACTED today`},
		"secret":             {`{"app_secret":"a\"b","app_key":"hydj"}`, `{"app_secret":"REDACTED","app_key":"hydj"}`},
		"nested in a string": {`{"body":"{\"password\":\"x\\\"y\",\"account\":\"z\"}"}`, `{"body":"{\"password\":\"REDACTED\",\"account\":\"z\"}"}`},
		"data fields":        {`{"data_fields":{"CZR":"李大华","N":[1,{"a":"}"}]},"x":1}`, `{"data_fields":"REDACTED","x":1}`},
		"unended":            {`{"data_fields":{"CZR":"李大华`, `{"data_fields":"REDACTED"`},
		"number member":      {`{"identity_number":123,"x":1}`, `{"identity_number":"REDACTED","x":1}`},
		"identity in text":   {"查询 " + person + " 失败", "查询 REDACTED 失败"},
		"in Chinese text":    {"号码" + person + "的证照", "号码REDACTED的证照"},
		"older identity":     {"id " + older + ".", "id REDACTED."},
		"full width":         {"号码１１０１０１１９８００２２９１２３Ｘ。", "号码REDACTED。"},
		"telephone":          {"tel " + phone + ", +86" + phone, "tel REDACTED, +REDACTED"},
		"behind an escape":   {`{"msg":"\u0001` + person + `\uab12` + phone + `"}`, `{"msg":"\u0001REDACTED\uab12REDACTED"}`},
		"with an escape":     {`{"msg":"\u0001111111111111\u0000"}`, `{"msg":"\u0001REDACTED\u0000"}`},
		"no escape":          {`{"msg":"C:\\u` + person + `"}`, `{"msg":"C:\\uREDACTED"}`},
		"no JSON":            {`C:\u` + person, `C:\u1101REDACTED`},
		"nanoseconds":        {`{"ts":1763955555123456789,"ms":1763955555123}`, `{"ts":1763955555123456789,"ms":1763955555123}`},
		"jwt":                {"got eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln here", "got REDACTED here"},
		"database":           {"dial postgres://u:p@h/db failed", "dial postgres://REDACTED@h/db failed"},
		"hash":               {`"hmac-sm3$00ff"`, `"REDACTED"`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := string(Line([]byte(test.line))); got != test.want {
				t.Errorf("%s\nbecomes %s\nwant    %s", test.line, got, test.want)
			}
		})
	}
}

// FuzzLine: what is planted in any line does not survive, a line twice redacted is the same, and JSON stays JSON.
func FuzzLine(f *testing.F) {
	f.Add(`{"a":"b"}`)
	f.Add(`{"password":"x","n":[{"data_fields":{}}]}`)
	f.Add(`\"token\":\"`)
	f.Fuzz(func(t *testing.T, text string) {
		for _, planted := range []string{text + " " + person + " " + text, text + " " + token + " " + text} {
			got := string(Line([]byte(planted)))
			if strings.Contains(got, " "+person+" ") || strings.Contains(got, token) {
				t.Errorf("%q survives as %q", planted, got)
			}
		}
		once := Line([]byte(text))
		if twice := Line(once); string(twice) != string(once) {
			t.Errorf("%q becomes %q, then %q", text, once, twice)
		}
		encoded, err := json.Marshal(map[string]any{"msg": text, "password": text, "n": 1})
		if err != nil {
			t.Fatal(err)
		}
		if line := Line(encoded); !json.Valid(line) {
			t.Errorf("%s is no JSON any more: %s", encoded, line)
		}
	})
}

func BenchmarkLine(b *testing.B) {
	line := []byte(`{"level":"info","ts":1763955555.123,"logger":"http.log.access","msg":"handled request","request":{"remote_ip":"127.0.0.1","proto":"HTTP/2.0","method":"GET","host":"localhost","uri":"/license/token?auth_code=abc","headers":{"Authorization":["Bearer abc"],"User-Agent":["curl/8"]}},"bytes_read":0,"status":200}`)
	b.SetBytes(int64(len(line)))
	for b.Loop() {
		Line(line)
	}
}
