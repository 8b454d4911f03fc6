package gm_test

import (
	"context"
	"crypto/cipher"
	"crypto/rand"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/emmansun/gmsm/sm2"
	"github.com/emmansun/gmsm/sm3"
	"github.com/emmansun/gmsm/sm4"
	"golang.org/x/sys/unix"

	"licgate/gm"
)

// field is the 1 KiB that the goal is stated for.
var (
	field      = make([]byte, 1024)
	associated = []byte("licgate/licence/2/sealed/110000202600000001/7")
)

const department = "11110000000021135M"

// keyrings are one that seals in version 1, and one that seals in version 2.
func keyrings(b *testing.B) map[string]*gm.Keyring {
	b.Helper()
	one, err := gm.Open(b.TempDir(), nil)
	if err != nil {
		b.Fatal(err)
	}
	two, err := gm.OpenKeys(context.Background(), gm.KeysConfig{Dir: b.TempDir()})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = two.Close() })
	return map[string]*gm.Keyring{"v1": one, "v2": two}
}

func fixed(b *testing.B) cipher.AEAD {
	b.Helper()
	block, err := sm4.NewCipher(make([]byte, sm4.BlockSize))
	if err != nil {
		b.Fatal(err)
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		b.Fatal(err)
	}
	return aead
}

// measure does op again and again, and reports how many of them a second of one core does. It counts the processor's time and not the
// clock's, so that what else runs on a shared machine counts little.
func measure(b *testing.B, op func()) {
	b.Helper()
	b.ReportAllocs()
	before := processor(b)
	for b.Loop() {
		op()
	}
	b.ReportMetric(float64(b.N)/(processor(b)-before).Seconds(), "op/core-s")
}

// processor is the time that this process has had of all cores, collecting garbage included.
func processor(b *testing.B) time.Duration {
	b.Helper()
	var used unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &used); err != nil {
		b.Fatal(err)
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}

func BenchmarkSeal(b *testing.B) {
	b.Run("fixed", func(b *testing.B) {
		aead := fixed(b)
		measure(b, func() {
			out := make([]byte, aead.NonceSize(), aead.NonceSize()+len(field)+aead.Overhead())
			if _, err := rand.Read(out); err != nil {
				b.Fatal(err)
			}
			aead.Seal(out, out, field, associated)
		})
	})
	for _, version := range []string{"v1", "v2"} {
		b.Run(version, func(b *testing.B) {
			k := keyrings(b)[version]
			measure(b, func() {
				if _, err := k.SealFor(department, field, associated); err != nil {
					b.Fatal(err)
				}
			})
		})
	}
	// So many departments that their keys fall out of the processor's nearer caches.
	b.Run("v2 of 2000 departments", func(b *testing.B) {
		k, names, _ := crowd(b)
		i := 0
		measure(b, func() {
			i++
			if _, err := k.SealFor(names[i%len(names)], field, associated); err != nil {
				b.Fatal(err)
			}
		})
	})
}

func BenchmarkOpen(b *testing.B) {
	b.Run("fixed", func(b *testing.B) {
		aead := fixed(b)
		nonce := make([]byte, aead.NonceSize())
		sealed := aead.Seal(nil, nonce, field, associated)
		measure(b, func() {
			if _, err := aead.Open(nil, nonce, sealed, associated); err != nil {
				b.Fatal(err)
			}
		})
	})
	for _, version := range []string{"v1", "v2"} {
		b.Run(version, func(b *testing.B) {
			k := keyrings(b)[version]
			sealed, err := k.SealFor(department, field, associated)
			if err != nil {
				b.Fatal(err)
			}
			measure(b, func() {
				if _, err := k.Open(sealed, associated); err != nil {
					b.Fatal(err)
				}
			})
		})
	}
	b.Run("v2 of 2000 departments", func(b *testing.B) {
		k, _, values := crowd(b)
		i := 0
		measure(b, func() {
			i++
			if _, err := k.Open(values[i%len(values)], associated); err != nil {
				b.Fatal(err)
			}
		})
	})
}

// BenchmarkAgainstFixed does both in turn, a batch of each, so that whatever slows the machine down slows both: v2/fixed is how much of the
// speed of one fixed key is left.
func BenchmarkAgainstFixed(b *testing.B) {
	const batch = 500
	ratio := func(b *testing.B, fixed, ours func()) {
		var one, two time.Duration
		for b.Loop() {
			start := processor(b)
			for range batch {
				fixed()
			}
			middle := processor(b)
			for range batch {
				ours()
			}
			one, two = one+middle-start, two+processor(b)-middle
		}
		b.ReportMetric(one.Seconds()/two.Seconds(), "ours/fixed")
		b.ReportMetric(float64(b.N*batch)/one.Seconds(), "fixed/core-s")
		b.ReportMetric(float64(b.N*batch)/two.Seconds(), "ours/core-s")
	}
	must := func(_ []byte, err error) {
		if err != nil {
			b.Fatal(err)
		}
	}
	aead := fixed(b)
	nonce := make([]byte, aead.NonceSize())
	sealed := aead.Seal(nil, nonce, field, associated)
	for version, k := range keyrings(b) {
		ours, err := k.SealFor(department, field, associated)
		must(ours, err)
		b.Run("seal "+version, func(b *testing.B) {
			ratio(b, func() {
				out := make([]byte, aead.NonceSize(), aead.NonceSize()+len(field)+aead.Overhead())
				if _, err := rand.Read(out); err != nil {
					b.Fatal(err)
				}
				aead.Seal(out, out, field, associated)
			}, func() { must(k.SealFor(department, field, associated)) })
		})
		b.Run("open "+version, func(b *testing.B) {
			ratio(b, func() { must(aead.Open(nil, nonce, sealed, associated)) }, func() { must(k.Open(ours, associated)) })
		})
	}
}

// shelf keeps records in memory: it is not the store that is measured.
type shelf struct{ records []gm.KeyRecord }

func (s *shelf) Changes(_ context.Context, since int64) ([]gm.KeyRecord, error) {
	return s.records[since:], nil
}

func (s *shelf) Add(_ context.Context, r gm.KeyRecord, _ int64) (gm.KeyRecord, error) {
	r.Revision = int64(len(s.records)) + 1
	s.records = append(s.records, r)
	return r, nil
}

func (s *shelf) Replace(context.Context, gm.KeyRecord) (gm.KeyRecord, error) {
	return gm.KeyRecord{}, gm.ErrKeyStale
}

// crowd is a keyring of many departments, their names and a value of each.
func crowd(b *testing.B) (*gm.Keyring, []string, [][]byte) {
	b.Helper()
	k, err := gm.OpenKeys(context.Background(), gm.KeysConfig{Dir: b.TempDir(), Store: new(shelf)})
	if err != nil {
		b.Fatal(err)
	}
	var names []string
	var values [][]byte
	for i := range 2000 {
		names = append(names, fmt.Sprintf("1111000000%07dM", i*7919%2000))
		sealed, err := k.SealFor(names[i], field, associated)
		if err != nil {
			b.Fatal(err)
		}
		values = append(values, sealed)
	}
	return k, names, values
}

// BenchmarkReseal is what rotation costs for each value, without the store.
func BenchmarkReseal(b *testing.B) {
	k := keyrings(b)["v2"]
	sealed, err := k.SealFor("", field, associated)
	if err != nil {
		b.Fatal(err)
	}
	measure(b, func() {
		if _, changed, err := k.Reseal(department, sealed, associated); err != nil || !changed {
			b.Fatal(changed, err)
		}
	})
}

func BenchmarkDigest(b *testing.B) {
	k := keyrings(b)["v1"]
	number := []byte("11010519491231002X")
	b.ReportAllocs()
	measure(b, func() {
		k.Digest(gm.PurposeIdentity, number)
	})
}

func BenchmarkIntegrity(b *testing.B) {
	k := keyrings(b)["v1"]
	measure(b, func() {
		k.Integrity("licence", "110000202600000001", 7, field)
	})
}

func BenchmarkSM3(b *testing.B) {
	for _, size := range []int{64, 1024, 64 << 10} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			data := []byte(strings.Repeat("x", size))
			b.SetBytes(int64(size))
			measure(b, func() {
				sm3.Sum(data)
			})
		})
	}
}

func BenchmarkSM2(b *testing.B) {
	key, err := sm2.GenerateKey(rand.Reader)
	if err != nil {
		b.Fatal(err)
	}
	message := []byte("licgate")
	signature, err := key.Sign(rand.Reader, message, sm2.DefaultSM2SignerOpts)
	if err != nil {
		b.Fatal(err)
	}
	wrapped, err := sm2.Encrypt(rand.Reader, &key.PublicKey, make([]byte, 32), nil)
	if err != nil {
		b.Fatal(err)
	}
	b.Run("sign", func(b *testing.B) {
		measure(b, func() {
			if _, err := key.Sign(rand.Reader, message, sm2.DefaultSM2SignerOpts); err != nil {
				b.Fatal(err)
			}
		})
	})
	b.Run("verify", func(b *testing.B) {
		measure(b, func() {
			if !sm2.VerifyASN1WithSM2(&key.PublicKey, nil, message, signature) {
				b.Fatal("refused")
			}
		})
	})
	b.Run("unwrap", func(b *testing.B) {
		measure(b, func() {
			if _, err := sm2.Decrypt(key, wrapped); err != nil {
				b.Fatal(err)
			}
		})
	})
}
