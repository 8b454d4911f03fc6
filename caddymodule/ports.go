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
	// An overlapping address of our own, as 127.0.0.1:443 is of :443, would be in the way of the attempt, but is not in that of a reload.
	ours := portsInUse()
	for _, text := range server.Listen {
		address, err := caddy.ParseNetworkAddress(text)
		if err != nil || !strings.HasPrefix(address.Network, "tcp") {
			continue // Caddy says what is wrong with it; a socket of another kind can't be shared
		}
		for _, one := range address.Expand() {
			if slices.Contains(ours, one.StartPort) {
				continue
			}
			if err := refuseSharedPort(one.Network, one.JoinHostPort(0)); err != nil {
				return err
			}
		}
	}
	return nil
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

// portsInUse are the TCP ports that servers of the configuration in force listen on.
func portsInUse() []uint {
	app, err := caddy.ActiveContext().AppIfConfigured("http")
	if err != nil {
		return nil // nothing is in force yet, or it serves nothing
	}
	var ports []uint
	for _, server := range app.(*caddyhttp.App).Servers {
		for _, text := range server.Listen {
			if address, err := caddy.ParseNetworkAddress(text); err == nil && strings.HasPrefix(address.Network, "tcp") {
				for _, one := range address.Expand() {
					ports = append(ports, one.StartPort)
				}
			}
		}
	}
	return ports
}
