package caddymodule

import (
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"syscall"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

// refuseSharedPorts fails when another process listens where the server that is being provisioned wants to. Caddy binds with
// SO_REUSEPORT, so both would start, and the kernel would deal connections, and with them the audit, out over the two without a word.
func refuseSharedPorts(ctx caddy.Context) error {
	server, ok := ctx.Value(caddyhttp.ServerCtxKey).(*caddyhttp.Server)
	if !ok {
		return nil // not within a server: nothing will listen
	}
	ours := addressesInUse()
	for _, one := range tcpListeners(server) {
		if wanted := tcpAddress(one); slices.ContainsFunc(ours, func(own *net.TCPAddr) bool { return overlap(own, wanted) }) {
			continue // what is ours would be in the way of the attempt, but is not in that of a reload
		}
		if err := refuseSharedPort(one.Network, one.JoinHostPort(0)); err != nil {
			return err
		}
	}
	return nil
}

// tcpListeners are where a server listens by TCP, port by port. What is wrong with an address Caddy says; a socket of another kind can't be
// shared.
func tcpListeners(server *caddyhttp.Server) (all []caddy.NetworkAddress) {
	for _, text := range server.Listen {
		if address, err := caddy.ParseNetworkAddress(text); err == nil && strings.HasPrefix(address.Network, "tcp") {
			all = append(all, address.Expand()...)
		}
	}
	return all
}

// activeServers are those of the configuration in force; none while nothing is, or where it serves nothing.
func activeServers() map[string]*caddyhttp.Server {
	app, err := caddy.ActiveContext().AppIfConfigured("http")
	if err != nil {
		return nil
	}
	return app.(*caddyhttp.App).Servers
}

// refuseSharedPort binds an address alone, and gives it back at once. That it can't be bound for another reason is for Caddy to say.
func refuseSharedPort(network, address string) error {
	listener, err := net.Listen(network, address)
	if errors.Is(err, syscall.EADDRINUSE) {
		_, port, _ := net.SplitHostPort(address)
		return fmt.Errorf("监听地址 %s 已有另一个进程在监听：两个进程同时监听时，请求与审计记录会分散到两处，所以不启动（或不换用这份配置）。"+
			"用 ss -ltnp 'sport = :%s' 查明是哪个进程，停止它，或改用别的端口（LICGATE_PORT）", address, port)
	}
	if err != nil {
		return nil
	}
	return listener.Close()
}

// addressesInUse are the TCP addresses that servers of the configuration in force listen on.
func addressesInUse() []*net.TCPAddr {
	var all []*net.TCPAddr
	for _, server := range activeServers() {
		for _, one := range tcpListeners(server) {
			all = append(all, tcpAddress(one))
		}
	}
	return all
}

// tcpAddress is where listening at one port of an address takes place: a host name is the address that net.Listen chooses for it. nil: it
// has none.
func tcpAddress(one caddy.NetworkAddress) *net.TCPAddr {
	address, err := net.ResolveTCPAddr(one.Network, one.JoinHostPort(0))
	if err != nil {
		return nil // Caddy says so
	}
	return address
}

// overlap reports whether one of two addresses takes in the other, as :443 does 127.0.0.1:443. 127.0.0.2:443 may be somebody else's.
func overlap(a, b *net.TCPAddr) bool {
	if a == nil || b == nil || a.Port != b.Port {
		return false
	}
	everywhere := func(ip net.IP) bool { return ip == nil || ip.IsUnspecified() }
	return everywhere(a.IP) || everywhere(b.IP) || a.IP.Equal(b.IP) && a.Zone == b.Zone
}
