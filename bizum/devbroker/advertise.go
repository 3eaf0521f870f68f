package devbroker

import (
	"net"
	"os"
	"slices"
)

// advertising is a listener whose address is what kfake tells clients to connect to.
type advertising struct {
	net.Listener
	address address
}

func (a advertising) Addr() net.Addr { return a.address }

type address string

func (address) Network() string  { return "tcp" }
func (a address) String() string { return string(a) }

// advertised returns what clients are told: what was asked for, else the address that is listened on, or a name of this
// machine when that is every address of it.
func advertised(asked string, listening net.Addr) string {
	host, port, _ := net.SplitHostPort(listening.String())
	switch askedHost, askedPort, err := net.SplitHostPort(asked); {
	case asked != "" && err == nil:
		return net.JoinHostPort(askedHost, askedPort)
	case asked != "":
		return net.JoinHostPort(asked, port)
	}
	if ip := net.ParseIP(host); ip != nil && ip.IsUnspecified() {
		host = reachable()
	}
	return net.JoinHostPort(host, port)
}

// reachable returns this machine's name, if that is one of an address that other machines may reach; else such an
// address.
func reachable() string {
	name, err := os.Hostname()
	if err == nil {
		if found, err := net.LookupHost(name); err == nil && slices.ContainsFunc(found, mayBeReached) {
			return name
		}
	}
	addresses, _ := net.InterfaceAddrs() // none: this machine is not reached
	for _, a := range addresses {
		if ip, _, err := net.ParseCIDR(a.String()); err == nil && mayBeReached(ip.String()) {
			return ip.String()
		}
	}
	return "localhost"
}

func mayBeReached(text string) bool {
	ip := net.ParseIP(text)
	return ip != nil && ip.IsGlobalUnicast()
}

func isLoopback(a net.Addr) bool {
	tcp, ok := a.(*net.TCPAddr)
	return ok && tcp.IP.IsLoopback()
}
