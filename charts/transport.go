package charts

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"syscall"
)

// ErrPrivateAddress is returned when a host has a private address and the transport is that of PublicTransport.
var ErrPrivateAddress = errors.New("private address refused")

// PublicTransport returns a transport for LoadOptions.Transport that connects to public addresses only: none that is
// private, of this host, of the link, or multicast, whatever name or redirect leads there. The address is checked when the
// connection is made, so that a name cannot change it in between. It uses no proxy, which would make the connections
// itself.
func PublicTransport() *http.Transport {
	transport := &http.Transport{ForceAttemptHTTP2: true}
	if base, ok := http.DefaultTransport.(*http.Transport); ok {
		transport = base.Clone()
	}
	transport.Proxy = nil
	transport.DialContext = (&net.Dialer{Control: refusePrivate}).DialContext
	return transport
}

// notPublic are addresses that are of no host of the internet, beside those that package netip knows: of carriers, of
// tests and protocols, reserved and former ones, and those by which a tunnel reaches an IPv4 address.
var notPublic = []netip.Prefix{
	netip.MustParsePrefix("0.0.0.0/8"), netip.MustParsePrefix("100.64.0.0/10"), netip.MustParsePrefix("192.0.0.0/24"),
	netip.MustParsePrefix("198.18.0.0/15"), netip.MustParsePrefix("240.0.0.0/4"),
	netip.MustParsePrefix("::/96"), netip.MustParsePrefix("64:ff9b:1::/48"),
	netip.MustParsePrefix("2001::/32"), netip.MustParsePrefix("2002::/16"), netip.MustParsePrefix("fec0::/10"),
}

// translated is how an IPv4 address looks in a network that has only IPv6 (NAT64).
var translated = netip.MustParsePrefix("64:ff9b::/96")

func refusePrivate(_, address string, _ syscall.RawConn) error {
	parsed, err := netip.ParseAddrPort(address)
	if err != nil {
		return fmt.Errorf("%s: %w", address, ErrPrivateAddress)
	}
	ip := parsed.Addr().WithZone("").Unmap()
	if translated.Contains(ip) {
		bytes := ip.As16()
		ip = netip.AddrFrom4([4]byte(bytes[12:]))
	}
	among := func(p netip.Prefix) bool { return p.Contains(ip) }
	if !ip.IsGlobalUnicast() || ip.IsPrivate() || slices.ContainsFunc(notPublic, among) {
		return fmt.Errorf("%s: %w", ip, ErrPrivateAddress)
	}
	return nil
}
