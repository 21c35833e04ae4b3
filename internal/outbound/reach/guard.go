// Package reach opens connections to addresses that others name: never into the
// exchange's own network, unless the operator permits it.
package reach

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"syscall"
)

// ErrAddress says that a name leads to no address that may be reached.
var ErrAddress = errors.New("the address is in no network that may be reached")

// guard decides which addresses may be reached. It is asked with the address
// that is dialled, after the name was resolved, so a name that changes its
// answer between a check and its use gains nothing.
type guard struct {
	allow []netip.Prefix
}

// special are networks that lead inside, to one machine, or nowhere (IANA
// special-purpose registries; RFC 6890), and what stands in public space and
// answers a cloud's machines alone.
var special = prefixes(
	"0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12",
	"192.0.0.0/24", "192.0.2.0/24", "192.31.196.0/24", "192.52.193.0/24", "192.88.99.0/24", "192.168.0.0/16",
	"192.175.48.0/24", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4",
	"168.63.129.16/32", // the host of Azure's machines
	"2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20", "2620:4f:8000::/48",
)

// global is the only space from which IPv6 addresses of the internet are given
// (RFC 4291 §2.4, IANA). Loopback, link-local, unique local, multicast and
// NAT64 (64:ff9b::/96, 64:ff9b:1::/48) lie outside.
var global = netip.MustParsePrefix("2000::/3")

func prefixes(text ...string) []netip.Prefix {
	var out []netip.Prefix
	for _, t := range text {
		out = append(out, netip.MustParsePrefix(t))
	}
	return out
}

// permitted reports whether the operator named the address's network.
func (g guard) permitted(a netip.Addr) bool {
	a = a.Unmap().WithZone("")
	return !a.IsUnspecified() && !a.IsMulticast() && slices.ContainsFunc(g.allow, func(p netip.Prefix) bool { return p.Contains(a) })
}

// reaches reports whether the address may be dialled. Without TLS it must lie
// in a network that the operator named.
func (g guard) reaches(a netip.Addr, tls bool) bool {
	a = a.Unmap().WithZone("") // ::ffff:127.0.0.1 is 127.0.0.1
	if g.permitted(a) {
		return true
	}
	if !tls || !a.IsValid() || a.Is6() && !global.Contains(a) {
		return false
	}
	return !slices.ContainsFunc(special, func(p netip.Prefix) bool { return p.Contains(a) })
}

// Lookup resolves a name; net.DefaultResolver.LookupNetIP outside tests.
type Lookup func(ctx context.Context, network, host string) ([]netip.Addr, error)

// dialer dials names under the guard.
type dialer struct {
	guard  guard
	lookup Lookup
	tls    bool
}

// dial resolves the name, leaves out what may not be reached, and tries the
// rest in turn. The socket's own address is checked once more before it
// connects.
func (d dialer) dial(ctx context.Context, network, address string) (net.Conn, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	var addrs []netip.Addr
	if a, parsed := netip.ParseAddr(host); parsed == nil {
		addrs = []netip.Addr{a}
	} else if addrs, err = d.lookup(ctx, "ip", host); err != nil {
		return nil, err
	}
	addrs = slices.DeleteFunc(slices.Clone(addrs), func(a netip.Addr) bool { return !d.guard.reaches(a, d.tls) })
	if len(addrs) == 0 {
		return nil, ErrAddress
	}
	inner := net.Dialer{Timeout: dialTime, Control: d.control}
	var failed error
	for _, a := range addrs[:min(len(addrs), 4)] {
		conn, err := inner.DialContext(ctx, network, net.JoinHostPort(a.Unmap().WithZone("").String(), port))
		if err == nil {
			return conn, nil
		}
		failed = err
	}
	return nil, failed
}

func (d dialer) control(_, address string, _ syscall.RawConn) error {
	a, err := netip.ParseAddrPort(address)
	if err != nil {
		return fmt.Errorf("checking an address: %w", err)
	}
	if !d.guard.reaches(a.Addr(), d.tls) {
		return ErrAddress
	}
	return nil
}
