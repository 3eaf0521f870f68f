// Package page serves what a run knows, read-only: to people as a live page, and to programs as JSON, health and
// metrics. It is given what happens as values, and knows neither Kafka nor a flag.
package page

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	"golang.org/x/net/netutil"
)

// Timeouts and limits against clients that are slow, or many. A stream of events sets its own.
const (
	headerTimeout  = 5 * time.Second
	readTimeout    = 10 * time.Second
	writeTimeout   = 10 * time.Second
	idleTimeout    = time.Minute
	headerBytesMax = 16 << 10
	connectionsMax = 4096
	closeTimeout   = time.Second
	sendBufferSize = 64 << 10 // of the kernel, a connection: a reader that is stuck must not cost megabytes
)

// Config says what a server serves, and where.
type Config struct {
	Address string // [HOST:]PORT; without a host it is this machine's own
	Metrics *Metrics
	Healthy func() error // why the run is not healthy, in a line; nil: it is
	Balance *Balance     // what the page shows; nil: there is no page, but health and metrics
}

// Server serves until it is closed.
type Server struct {
	listener net.Listener
	http     *http.Server
	balance  *Balance
	host     string // that was asked for
	served   chan struct{}
}

// Listen begins to serve. Its errors are an AddressError, and those of net.Listen.
func Listen(c Config) (*Server, error) {
	host, _, err := SplitAddress(WithHost(c.Address))
	if err != nil {
		return nil, err
	}
	listener, err := net.Listen("tcp", WithHost(c.Address))
	if err != nil {
		return nil, err
	}
	s := &Server{listener: listener, balance: c.Balance, host: host, served: make(chan struct{})}
	routes := http.NewServeMux()
	routes.Handle("/metrics", c.Metrics.handler())
	routes.HandleFunc("/healthz", func(w http.ResponseWriter, _ *http.Request) { serveHealth(w, c.Healthy()) })
	if c.Balance != nil {
		c.Balance.routes(routes)
	} else {
		routes.HandleFunc("/{$}", serveIndex)
	}
	s.http = &http.Server{
		Handler:           guard{hosts: allowedHosts(host, s.Open()), routes: routes},
		ReadHeaderTimeout: headerTimeout, ReadTimeout: readTimeout, WriteTimeout: writeTimeout, IdleTimeout: idleTimeout,
		MaxHeaderBytes: headerBytesMax, ErrorLog: discardLog(),
		ConnContext: func(ctx context.Context, conn net.Conn) context.Context {
			if tcp, ok := conn.(interface{ SetWriteBuffer(int) error }); ok {
				_ = tcp.SetWriteBuffer(sendBufferSize) // a hint
			}
			return ctx
		},
	}
	go func() {
		defer close(s.served)
		_ = s.http.Serve(netutil.LimitListener(listener, connectionsMax)) // it ends with Close
	}()
	return s, nil
}

// WithHost returns an address to listen at, with the host of those that are only a port.
func WithHost(address string) string {
	if strings.Contains(address, ":") {
		return address
	}
	return net.JoinHostPort("localhost", address)
}

// AddressError means that an address to serve at is none.
type AddressError struct{ Address string }

func (e *AddressError) Error() string { return fmt.Sprintf("address %q: want HOST:PORT", e.Address) }

// SplitAddress splits an address to listen at. The error is an AddressError.
func SplitAddress(address string) (host, port string, err error) {
	host, port, err = net.SplitHostPort(address)
	if err != nil {
		return "", "", &AddressError{address}
	}
	if _, err := strconv.ParseUint(port, 10, 16); err != nil {
		return "", "", &AddressError{address}
	}
	return host, port, nil
}

// Address returns where the server is reached: the host that was asked for, and the port that was found.
func (s *Server) Address() string {
	_, port, _ := net.SplitHostPort(s.listener.Addr().String())
	host := s.host
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "localhost"
	}
	return net.JoinHostPort(host, port)
}

// Open reports whether other machines can reach the server.
func (s *Server) Open() bool {
	address, ok := s.listener.Addr().(*net.TCPAddr)
	return !ok || !address.IP.IsLoopback()
}

// Close tells those who read that the run has ended, and ends all connections, within a second.
func (s *Server) Close() {
	if s.balance != nil {
		s.balance.end()
	}
	ctx, cancel := context.WithTimeout(context.Background(), closeTimeout)
	defer cancel()
	if err := s.http.Shutdown(ctx); err != nil {
		_ = s.http.Close()
	}
	<-s.served
}

// serveIndex tells a person who looks at a server without a page what it has.
func serveIndex(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, _ = io.WriteString(w, "bizumctl\n\n/healthz  whether it is well\n/metrics  in the format of Prometheus\n")
}

// serveHealth is for probes: 200, or 503 with the reason.
func serveHealth(w http.ResponseWriter, unhealthy error) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	if unhealthy != nil {
		w.WriteHeader(http.StatusServiceUnavailable)
		_, _ = io.WriteString(w, oneLine(unhealthy.Error())+"\n")
		return
	}
	_, _ = io.WriteString(w, "ok\n")
}
