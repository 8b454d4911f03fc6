//go:build linux

package audit

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"golang.org/x/sys/unix"

	"licgate/audit"
	"licgate/audit/ledger"
)

// rounds is how often every kind has its turn.
const rounds = 8

// record is one of 500 bytes on disk, frame included.
func record() *audit.Record {
	return &audit.Record{
		ResponseID: "0190c9a4-5c1e-7b2a-9d3f-4f1c2b7a8e90", CorrelationID: "b2629b80-a96f-469b-87f7", Time: time.Now(), Event: audit.EventRequest,
		Kind: audit.KindUse, App: "hydj", Account: "110000_zhangbin", Department: "11110000000021135M", Address: "10.1.2.3", TLS: "1.3",
		Method: "POST", Interface: "get_license", Item: "305018201", ServiceItem: "110103MZ001",
		Allow: true, PolicyVersion: 7, Outcome: "SUCCESS", Status: 200, Millis: 1.234,
	}
}

// kind is one way to keep a record.
type kind struct {
	name string
	keep func() error
	// settle waits until all that was kept is on disk; nil: it is, or never will be.
	settle func()
	alone  bool // for one client, however many there are
	per    func() float64
}

// BenchmarkJournal prints one table: every kind at 1, 16, 128 and 1,024 clients.
func BenchmarkJournal(b *testing.B) {
	d := newDisk(b)
	kinds := []kind{{name: "fdatasync alone, 500 bytes, 1 client", keep: func() error { return d.write(500) }, alone: true}}
	for _, durability := range []audit.Durability{audit.Strict, audit.Bounded(1000, time.Second), audit.BestEffort} {
		j := journal(b)
		kinds = append(kinds, kind{name: "journal, " + durability.String(), keep: func() error {
			_, err := j.Keep(context.Background(), record(), durability)
			return err
		}, settle: func() {
			for j.Stats().Waiting > 0 {
				time.Sleep(time.Millisecond)
			}
		}})
		if durability == audit.Strict {
			kinds = append(kinds, d.groups(j))
		}
	}
	kinds = append(kinds, zapAlone(b))
	var table strings.Builder
	table.WriteString("\n| clients | kind | records/s | p50 ms | p99 ms | p99 ÷ sync | CPU µs/record |\n|--:|---|--:|--:|--:|--:|--:|\n")
	for _, clients := range []int{1, 16, 128, 1024} {
		got := make([]figures, len(kinds))
		for range rounds {
			for i, k := range kinds {
				n := clients
				if k.alone { // a disk syncs for one at a time
					n = 1
				}
				s := drive(b, n, k)
				if k.per != nil {
					s.ops = int(float64(s.ops) * k.per())
				}
				got[i].add(s)
			}
		}
		for i, k := range kinds {
			f := &got[i]
			fmt.Fprintf(&table, "| %d | %s | %.0f | %.3f | %.3f | %.2f | %.2f |\n",
				clients, k.name, f.rate(), f.latency(0.5), f.latency(0.99), f.latency(0.99)/got[0].latency(0.99), f.cpu())
		}
	}
	fmt.Println(table.String()) // b.Log cuts it
}

// BenchmarkParts is what a record costs besides the disk, on this machine at this moment: SM3 of its bytes, which the leaf
// takes, of a node, which chain and tree take once each, and the tree with its leaves hashed.
func BenchmarkParts(b *testing.B) {
	text := make([]byte, 501)
	b.Run("sm3 of 500 bytes", func(b *testing.B) {
		for b.Loop() {
			ledger.LeafBehind(text)
		}
	})
	b.Run("sm3 of a node", func(b *testing.B) {
		for b.Loop() {
			ledger.LeafBehind(text[:65])
		}
	})
	b.Run("tree", func(b *testing.B) {
		tree, leaf := ledger.NewTree(nil), ledger.Leaf(text)
		for b.Loop() {
			tree.Append(leaf)
		}
		b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "leaves/s")
	})
	b.Run("tree with leaves of 500 bytes", func(b *testing.B) {
		tree := ledger.NewTree(nil)
		for b.Loop() {
			tree.Append(ledger.LeafBehind(text))
		}
		b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "leaves/s")
	})
}

func journal(b *testing.B) *audit.Journal {
	b.Helper()
	pair, err := ledger.OpenKeys(filepath.Join(b.TempDir(), "log.key"), "gateway.example/audit", nil)
	if err != nil {
		b.Fatal(err)
	}
	signers, err := pair.LogSigners()
	if err != nil {
		b.Fatal(err)
	}
	j, _, err := audit.OpenJournal(b.TempDir(), audit.Options{Node: "gw-1", Ledger: &audit.LedgerOptions{Signers: signers}, KeepPlain: true})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := j.Close(); err != nil {
			b.Error(err)
		}
	})
	return j
}

// testDisk is a file whose blocks were written before, on the disk of the journals.
type testDisk struct {
	file *os.File
	zero []byte
	at   int64
}

const diskSize = 256 << 20

func newDisk(b *testing.B) *testDisk {
	b.Helper()
	f, err := os.Create(filepath.Join(b.TempDir(), "sync"))
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { f.Close() })
	d := &testDisk{file: f, zero: make([]byte, 8<<20)}
	for range diskSize / len(d.zero) {
		if _, err := f.Write(d.zero); err != nil {
			b.Fatal(err)
		}
	}
	if err := f.Sync(); err != nil {
		b.Fatal(err)
	}
	return d
}

// write writes n bytes where zeros are, and syncs: the floor under every answer.
func (d *testDisk) write(n int) error {
	if d.at+int64(n) > diskSize {
		d.at = 0
	}
	if _, err := d.file.WriteAt(d.zero[:n], d.at); err != nil {
		return err
	}
	d.at += int64(n)
	return unix.Fdatasync(int(d.file.Fd()))
}

// groups writes groups as large as j's were since the last stretch, one after another, without anything else: what the disk
// allows.
func (d *testDisk) groups(j *audit.Journal) kind {
	var before audit.Stats
	size, per := 500, 1.0
	measured := false
	return kind{name: "the same groups, disk alone", alone: true, keep: func() error {
		if !measured {
			now := j.Stats()
			if n := now.Groups - before.Groups; n > 0 {
				size, per = int((now.Bytes-before.Bytes)/n), float64(now.Records-before.Records)/float64(n)
			}
			before, measured = now, true
		}
		return d.write(size)
	}, per: func() float64 {
		measured = false
		return per
	}}
}

// zapAlone writes the same record as a log line, as gateways do: no sync, no chain, no tree.
func zapAlone(b *testing.B) kind {
	b.Helper()
	f, err := os.Create(filepath.Join(b.TempDir(), "zap"))
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { f.Close() })
	log := zap.New(zapcore.NewCore(zapcore.NewJSONEncoder(zap.NewProductionEncoderConfig()), zapcore.Lock(f), zap.InfoLevel))
	return kind{name: "zap, not durable", keep: func() error {
		r := record()
		log.Info(r.Event, zap.String("response_id", r.ResponseID), zap.String("correlation_id", r.CorrelationID), zap.String("node", "gw-1"),
			zap.Time("time", r.Time), zap.String("kind", r.Kind), zap.String("app", r.App), zap.String("account", r.Account),
			zap.String("department", r.Department), zap.String("address", r.Address), zap.String("tls", r.TLS), zap.String("method", r.Method),
			zap.String("interface", r.Interface), zap.String("item", r.Item), zap.String("service_item", r.ServiceItem),
			zap.Bool("allow", r.Allow), zap.Int64("policy_version", r.PolicyVersion), zap.String("outcome", r.Outcome),
			zap.Int("status", r.Status), zap.Float64("ms", r.Millis))
		return nil
	}}
}
