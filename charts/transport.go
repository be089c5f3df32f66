package charts

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
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

// sharedAddresses are those that carriers use behind their own translation of addresses.
var sharedAddresses = netip.MustParsePrefix("100.64.0.0/10")

func refusePrivate(_, address string, _ syscall.RawConn) error {
	parsed, err := netip.ParseAddrPort(address)
	if err != nil {
		return fmt.Errorf("%s: %w", address, ErrPrivateAddress)
	}
	ip := parsed.Addr().Unmap()
	if !ip.IsGlobalUnicast() || ip.IsPrivate() || sharedAddresses.Contains(ip) {
		return fmt.Errorf("%s: %w", ip, ErrPrivateAddress)
	}
	return nil
}
