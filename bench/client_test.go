//go:build linux

package bench

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// conn is one keep-alive connection that speaks HTTP/1.1. It is hand-framed: the client shares the processors with what it measures.
type conn struct {
	*tls.Conn
	in   *bufio.Reader
	body bytes.Buffer
}

func (p *process) dial() (*conn, error) {
	c, err := tls.Dial("tcp", "127.0.0.1:"+p.port, p.trust)
	if err != nil {
		return nil, err
	}
	return &conn{Conn: c, in: bufio.NewReaderSize(c, 32<<10)}, nil
}

// request is a whole request as it goes over the wire.
func request(method, path, token string, body []byte) []byte {
	var b bytes.Buffer
	b.WriteString(method + " " + path + " HTTP/1.1\r\nHost: localhost\r\n")
	if token != "" {
		b.WriteString("Authorization: Bearer " + token + "\r\n")
	}
	if body != nil {
		b.WriteString("Content-Type: application/json\r\nContent-Length: " + strconv.Itoa(len(body)) + "\r\n")
	}
	b.WriteString("\r\n")
	b.Write(body)
	return b.Bytes()
}

// do sends a request and returns the body of an answer that must be 200; it is good until the next call.
func (c *conn) do(raw []byte) ([]byte, error) {
	if err := c.SetDeadline(time.Now().Add(time.Minute)); err != nil {
		return nil, err
	}
	if _, err := c.Write(raw); err != nil {
		return nil, err
	}
	resp, err := http.ReadResponse(c.in, nil)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	c.body.Reset()
	if _, err := io.Copy(&c.body, resp.Body); err != nil {
		return nil, err
	}
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("status %s: %.300s", resp.Status, c.body.Bytes())
	}
	return c.body.Bytes(), nil
}

// slice is a stretch of requests that was measured.
type slice struct {
	requests  int
	elapsed   time.Duration
	cpu       time.Duration // of the process that answered
	latencies []time.Duration
}

func (s slice) perSecond() float64 { return float64(s.requests) / s.elapsed.Seconds() }

// cpuEach is the processor time of one request, in µs.
func (s slice) cpuEach() float64 { return float64(s.cpu.Nanoseconds()) / 1000 / float64(s.requests) }

// run sends requests over so many connections, each as soon as its last was answered. Every answer is checked: a refusal is fast and
// would look well.
func (p *process) run(requests [][]byte, connections int, check func([]byte) error) (slice, error) {
	for len(p.pool) < connections {
		c, err := p.dial()
		if err != nil {
			return slice{}, err
		}
		p.pool = append(p.pool, c)
	}
	s := slice{requests: len(requests), latencies: make([]time.Duration, len(requests))}
	failures := make([]error, connections)
	before, err := cpu(p.cmd.Process.Pid)
	if err != nil {
		return slice{}, err
	}
	var next atomic.Int64
	var workers sync.WaitGroup
	begin := time.Now()
	for i := range connections {
		workers.Go(func() {
			for failures[i] == nil {
				n := int(next.Add(1)) - 1
				if n >= len(requests) {
					return
				}
				sent := time.Now()
				body, err := p.pool[i].do(requests[n])
				s.latencies[n] = time.Since(sent)
				if err == nil {
					err = check(body)
				}
				failures[i] = err
			}
		})
	}
	workers.Wait()
	s.elapsed = time.Since(begin)
	after, err := cpu(p.cmd.Process.Pid)
	s.cpu = after - before
	for _, failure := range append(failures, err) {
		if failure != nil {
			return slice{}, failure
		}
	}
	return s, nil
}
