package caddymodule

import (
	"context"
	"net"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

// TestSharedPortIsRefused: an address that overlaps one that somebody else listens on is refused by name; others, and those that are no
// TCP ports, are not.
func TestSharedPortIsRefused(t *testing.T) {
	t.Parallel()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	_, port, _ := net.SplitHostPort(taken.Addr().String())
	for _, one := range []struct {
		listen  string
		refused bool
	}{
		{"127.0.0.1:" + port, true},
		{":" + port, true},
		{"0.0.0.0:" + port, true},
		{"tcp4/:" + port, true},
		{"127.0.0.1:" + port + "-" + port, true},
		{"127.0.0.2:" + port, false},
		{"127.0.0.1:0", false},
		{"udp/127.0.0.1:" + port, false},
		{"unix//tmp/" + port, false},
		{"fd/" + port, false},
		{"192.0.2.1:" + port, false}, // no address of ours: Caddy says so
	} {
		server := &caddyhttp.Server{Listen: []string{"127.0.0.1:0", one.listen}}
		err := refuseSharedPorts(caddy.Context{Context: context.WithValue(t.Context(), caddyhttp.ServerCtxKey, server)})
		switch {
		case one.refused && (err == nil || !strings.Contains(err.Error(), port) || !strings.Contains(err.Error(), "另一个进程")):
			t.Errorf("%s: %v", one.listen, err)
		case !one.refused && err != nil:
			t.Errorf("%s: refused: %v", one.listen, err)
		}
	}
	if err := refuseSharedPorts(caddy.Context{Context: t.Context()}); err != nil {
		t.Errorf("without a server: %v", err)
	}
}

// TestAddressesOverlap: the same port at another address of this machine is not ours; another spelling of our address is.
func TestAddressesOverlap(t *testing.T) {
	t.Parallel()
	for _, one := range []struct {
		ours, wanted string
		want         bool
	}{
		{"127.0.0.1:443", "127.0.0.1:443", true},
		{":443", "127.0.0.1:443", true},
		{"127.0.0.1:443", "0.0.0.0:443", true},
		{"[::1]:443", "[::]:443", true},
		{"localhost:443", "127.0.0.1:443", true},
		{"127.0.0.1:443", "tcp4/127.0.0.1:443", true},
		{"127.0.0.2:443", "127.0.0.1:443", false},
		{"127.0.0.1:443", "[::1]:443", false},
		{":443", ":8443", false},
		{"name.invalid:443", "name.invalid:443", false},
	} {
		var both []*net.TCPAddr
		for _, text := range []string{one.ours, one.wanted} {
			address, err := caddy.ParseNetworkAddress(text)
			if err != nil {
				t.Fatal(err)
			}
			both = append(both, tcpAddress(address))
		}
		if overlap(both[0], both[1]) != one.want || overlap(both[1], both[0]) != one.want {
			t.Errorf("%s and %s: %v expected", one.ours, one.wanted, one.want)
		}
	}
}
