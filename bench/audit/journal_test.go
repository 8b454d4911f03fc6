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
}

// BenchmarkJournal prints one table: every kind at 1, 16, 128 and 1,024 clients.
func BenchmarkJournal(b *testing.B) {
	kinds := []kind{syncAlone(b)}
	for _, d := range []audit.Durability{audit.Strict, audit.Bounded(1000, time.Second), audit.BestEffort} {
		j := journal(b)
		kinds = append(kinds, kind{"journal, " + d.String(), func() error {
			_, err := j.Keep(context.Background(), record(), d)
			return err
		}, func() {
			for j.Stats().Waiting > 0 {
				time.Sleep(time.Millisecond)
			}
		}})
	}
	kinds = append(kinds, zapAlone(b))
	var table strings.Builder
	table.WriteString("\n| clients | kind | records/s | p50 ms | p99 ms | p99 ÷ sync | CPU µs/record |\n|--:|---|--:|--:|--:|--:|--:|\n")
	for _, clients := range []int{1, 16, 128, 1024} {
		got := make([]figures, len(kinds))
		for range rounds {
			for i, k := range kinds {
				n := clients
				if i == 0 {
					n = 1 // a disk syncs for one at a time
				}
				got[i].add(drive(b, n, k))
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

// syncAlone writes 500 bytes into a file whose blocks were written before, and syncs: the floor under every answer.
func syncAlone(b *testing.B) kind {
	b.Helper()
	const size = 64 << 20
	f, err := os.Create(filepath.Join(b.TempDir(), "sync"))
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { f.Close() })
	if _, err := f.Write(make([]byte, size)); err != nil {
		b.Fatal(err)
	}
	if err := f.Sync(); err != nil {
		b.Fatal(err)
	}
	line, at := make([]byte, 500), int64(0)
	return kind{"fdatasync alone, 1 client", func() error {
		at = (at + int64(len(line))) % (size - int64(len(line)))
		if _, err := f.WriteAt(line, at); err != nil {
			return err
		}
		return unix.Fdatasync(int(f.Fd()))
	}, nil}
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
	return kind{"zap, not durable", func() error {
		r := record()
		log.Info(r.Event, zap.String("response_id", r.ResponseID), zap.String("correlation_id", r.CorrelationID), zap.String("node", "gw-1"),
			zap.Time("time", r.Time), zap.String("kind", r.Kind), zap.String("app", r.App), zap.String("account", r.Account),
			zap.String("department", r.Department), zap.String("address", r.Address), zap.String("tls", r.TLS), zap.String("method", r.Method),
			zap.String("interface", r.Interface), zap.String("item", r.Item), zap.String("service_item", r.ServiceItem),
			zap.Bool("allow", r.Allow), zap.Int64("policy_version", r.PolicyVersion), zap.String("outcome", r.Outcome),
			zap.Int("status", r.Status), zap.Float64("ms", r.Millis))
		return nil
	}, nil}
}
