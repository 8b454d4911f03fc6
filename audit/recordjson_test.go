package audit

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"reflect"
	"testing"
	"time"
)

// standardJSON encodes as appendRecord should.
func standardJSON(t testing.TB, v any) string {
	t.Helper()
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		t.Fatal(err)
	}
	return string(bytes.TrimSuffix(b.Bytes(), []byte("\n")))
}

// populate fills every field at random, often with its zero.
func populate(random *rand.Rand, v reflect.Value, texts []string) {
	if random.IntN(3) == 0 && v.Type() != reflect.TypeFor[time.Time]() {
		v.SetZero()
		return
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString(texts[random.IntN(len(texts))])
	case reflect.Int, reflect.Int64:
		v.SetInt(random.Int64() >> random.IntN(64))
	case reflect.Uint64:
		v.SetUint(random.Uint64() >> random.IntN(64))
	case reflect.Float64:
		v.SetFloat([]float64{0, 1, -1.5, 1e-7, 2.5e-9, 1e21, 1e-300, 123456.789, random.Float64()}[random.IntN(9)])
	case reflect.Bool:
		v.SetBool(random.IntN(2) == 0)
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), random.IntN(3), 3))
		for i := range v.Len() {
			populate(random, v.Index(i), texts)
		}
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		populate(random, v.Elem(), texts)
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[time.Time]() {
			zone := time.FixedZone("", (random.IntN(48)-24)*1800)
			v.Set(reflect.ValueOf(time.Unix(random.Int64N(4e9), random.Int64N(1e9)).In(zone)))
			return
		}
		for i := range v.NumField() {
			populate(random, v.Field(i), texts)
		}
	default:
		panic(fmt.Sprintf("a record has a field of type %s: teach populate and appendRecord", v.Type()))
	}
}

func recordAgrees(t testing.TB, r Record) {
	t.Helper()
	e, err := encodeRecord(&r, r.Node)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := string(e.append(nil, r.Sequence)), standardJSON(t, r); got != want {
		t.Fatalf("got  %s\nwant %s", got, want)
	}
}

// FuzzRecordJSON holds that records are written to the byte as encoding/json writes them, whatever their fields.
func FuzzRecordJSON(f *testing.F) {
	f.Add(uint64(1), "plain", "")
	f.Add(uint64(2), "北京\u2028\u2029\ufffd", "\x00\x01\x1f\"\\\b\f\n\r\t/<>&\x7f")
	f.Add(uint64(3), "\xff\xc0\xaf\xed\xa0\x80", "𬱖é\xe4\xb8")
	f.Fuzz(func(t *testing.T, seed uint64, one, two string) {
		random := rand.New(rand.NewPCG(seed, 1))
		for range 20 {
			var r Record
			populate(random, reflect.ValueOf(&r).Elem(), []string{one, two, one + two, "x"})
			recordAgrees(t, r)
		}
	})
}

func TestRecordJSONRefusesTimes(t *testing.T) {
	t.Parallel()
	far := time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC)
	for name, spoil := range map[string]func(*Record){
		"time":  func(r *Record) { r.Time = far },
		"first": func(r *Record) { r.Refusals = &Refusals{First: far} },
		"last":  func(r *Record) { r.Refusals = &Refusals{Last: far} },
	} {
		r := record("x")
		spoil(r)
		if _, err := encodeRecord(r, "n"); err == nil {
			t.Errorf("%s: a year of five digits is written", name)
		}
	}
}

// TestRefusalsAreFrozen holds the bytes of the event "refusals" (docs/formats.md).
func TestRefusalsAreFrozen(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 23, 12, 5, 6, 0, time.FixedZone("", 8*3600))
	for golden, r := range map[string]*Record{
		`{"response_id":"0190c9a4-0000-7000-8000-000000000000","node":"gw-1","sequence":7,"time":"2026-11-23T12:05:16+08:00","event":"refusals",` +
			`"address":"2001:db8::/64","allow":false,"outcome":"FAILURE","error_code":"50001","status":429,"ms":0,"bytes_out":1024,` +
			`"refusals":{"count":2999,"first":"2026-11-23T12:05:06+08:00","last":"2026-11-23T12:05:15+08:00","interfaces":["verify","login"]}}`: {
			ResponseID: "0190c9a4-0000-7000-8000-000000000000", Time: at.Add(10 * time.Second), Event: EventRefusals, Address: "2001:db8::/64",
			Outcome: "FAILURE", ErrorCode: "50001", Status: 429, BytesOut: 1024,
			Refusals: &Refusals{Count: 2999, First: at, Last: at.Add(9 * time.Second), Interfaces: []string{"verify", "login"}},
		},
		`{"response_id":"r","node":"gw-1","sequence":7,"time":"2026-11-23T12:05:06+08:00","event":"refusals","allow":false,"outcome":"FAILURE","ms":0,` +
			`"refusals":{"count":1,"first":"2026-11-23T12:05:06+08:00","last":"2026-11-23T12:05:06+08:00","others":true}}`: {
			ResponseID: "r", Time: at, Event: EventRefusals, Outcome: "FAILURE", Refusals: &Refusals{Count: 1, First: at, Last: at, Others: true},
		},
	} {
		e, err := encodeRecord(r, "gw-1")
		if err != nil {
			t.Fatal(err)
		}
		if got := string(e.append(nil, 7)); got != golden {
			t.Errorf("got  %s\nwant %s", got, golden)
		}
	}
}

func BenchmarkEncodeRecord(b *testing.B) {
	r := record("0190c9a4-0000-7000-8000-000000000000")
	r.Time = time.Now()
	b.ReportAllocs()
	for b.Loop() {
		e, err := encodeRecord(r, "gw-1")
		if err != nil {
			b.Fatal(err)
		}
		e.free()
	}
}
