package kafka

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// secureConn is a connection under TLS.
type secureConn = tls.Conn

// probeTimeout bounds each question that only finds out why a connection failed.
const probeTimeout = time.Second

// secure speaks TLS on a connection. It reports whether the broker wants a certificate of us: with TLS 1.3 it refuses
// ours, or that we have none, only when we read.
func (d *dialer) secure(conn net.Conn, address string, deadline time.Time) (secured *secureConn, wanted bool,
	err error) {
	config, err := d.config.TLS()
	if err != nil {
		return nil, false, access(TLSFailed, address, "%v", err)
	}
	config = config.Clone()
	if config.ServerName == "" {
		config.ServerName, _, _ = net.SplitHostPort(address) // net.Dial has taken it
	}
	config.MinVersion = max(config.MinVersion, tls.VersionTLS12)
	own := config.Certificates
	config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
		wanted = true
		if len(own) > 0 {
			return &own[0], nil
		}
		return new(tls.Certificate), nil
	}
	secured = tls.Client(conn, config)
	_ = conn.SetDeadline(deadline) // if it fails, so does the handshake
	if err := secured.Handshake(); err != nil {
		return nil, wanted, d.handshakeError(address, config, wanted, err)
	}
	_ = conn.SetDeadline(time.Time{})
	return secured, wanted, nil
}

// handshakeError returns why a TLS handshake failed: an AccessError, unless the network did.
func (d *dialer) handshakeError(address string, config *tls.Config, wanted bool, err error) error {
	var (
		record  tls.RecordHeaderError
		unknown x509.UnknownAuthorityError
		host    x509.HostnameError
		invalid x509.CertificateInvalidError
		network net.Error
	)
	switch {
	case errors.As(err, &record):
		return speaksPlainText(address)
	case errors.As(err, &host):
		e := access(OtherHost, address, "the certificate of %s is for %s, not for %s", address,
			listed(namesOf(host.Certificate)), host.Host)
		e.Offered = namesOf(host.Certificate)
		return e
	case errors.As(err, &unknown):
		return access(UnknownAuthority, address, "the certificate of %s is signed by %q, whom we do not know", address,
			unknown.Cert.Issuer.String())
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		if time.Now().Before(invalid.Cert.NotBefore) {
			return access(CertificateExpired, address, "the certificate of %s (%s) is valid only from %s on", address,
				invalid.Cert.Subject, day(invalid.Cert.NotBefore))
		}
		return access(CertificateExpired, address, "the certificate of %s (%s) expired on %s", address,
			invalid.Cert.Subject, day(invalid.Cert.NotAfter))
	case alertOf(err) != "":
		return d.refusedCertificate(address, len(config.Certificates) > 0, wanted, alertOf(err))
	case cut(err) || errors.As(err, &network) && network.Timeout():
		if isKafka(address) {
			return speaksPlainText(address)
		}
		return err
	case errors.As(err, &network):
		return err
	}
	return access(TLSFailed, address, "TLS with %s: %v", address, err)
}

func speaksPlainText(address string) error {
	return access(SpeaksPlainText, address, "%s does not speak TLS", address)
}

func (c *checkedConn) speaksTLS() error {
	return access(SpeaksTLS, c.address, "%s speaks TLS", c.address)
}

// refusedCertificate returns an AccessError for the alert with which a broker ended TLS.
func (d *dialer) refusedCertificate(address string, sent, wanted bool, alert string) error {
	switch {
	case wanted && sent:
		return access(CertificateRefused, address, "%s refuses our certificate: %s", address, alert)
	case wanted:
		return access(WantsCertificate, address, "%s wants a certificate of us: %s", address, alert)
	}
	return access(TLSFailed, address, "%s refuses TLS: %s", address, alert)
}

// namesOf returns the hosts that a certificate is for.
func namesOf(certificate *x509.Certificate) []string {
	names := slices.Clone(certificate.DNSNames)
	for _, ip := range certificate.IPAddresses {
		names = append(names, ip.String())
	}
	return names
}

func listed(names []string) string {
	if len(names) == 0 {
		return "no host (it has no subject alternative name)"
	}
	return strings.Join(names, ", ")
}

func day(t time.Time) string { return t.UTC().Format(time.DateOnly) }

// alertOf returns the text of the TLS alert that the other side has sent, empty if it has sent none.
func alertOf(err error) string {
	var op *net.OpError
	if errors.As(err, &op) && op.Op == "remote error" {
		return strings.TrimPrefix(op.Err.Error(), "tls: ")
	}
	return ""
}

// isAlert reports whether a response begins as a TLS alert does.
func isAlert(head [4]byte) bool {
	const alert = 0x15
	return head[0] == alert && head[1] == 3 && head[2] <= 4
}

// cut reports whether the other side has closed the connection.
func cut(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, syscall.ECONNRESET) ||
		errors.Is(err, syscall.EPIPE)
}

// explain returns why a broker has ended a connection that is being set up, if that can be found out; else err.
func (c *checkedConn) explain(err error) error {
	sent := c.secured != nil && c.dialer.config.Subject != ""
	switch {
	case alertOf(err) != "":
		return c.dialer.refusedCertificate(c.address, sent, c.certificateWanted, alertOf(err))
	case !cut(err) || c.admitted:
		return err
	case kmsg.Key(c.key) == kmsg.SASLAuthenticate: // brokers before 1.0, and others that speak the protocol, say no more
		e := access(LoginRefused, c.address, "%s closed the connection when we logged in%s", c.address, c.dialer.asUser())
		e.User, e.passing = c.dialer.config.SASL.User, c.dialer.admitted.Load()
		return e
	case c.responses == 0 && c.secured == nil && isTLS(c.address):
		return c.speaksTLS()
	case c.responses == 0 && c.certificateWanted:
		e := c.dialer.refusedCertificate(c.address, sent, true, "it closed the connection").(*AccessError)
		e.passing = c.dialer.admitted.Load()
		return e
	case c.responses > 0 && c.dialer.config.SASL == nil && !c.dialer.admitted.Load():
		if offered := c.dialer.mechanisms(c.address); len(offered) > 0 {
			e := access(WantsLogin, c.address, "%s wants a login, by %s", c.address, strings.Join(offered, ", "))
			e.Offered = offered
			return e
		}
	}
	return err
}

func (d *dialer) asUser() string {
	if d.config.SASL == nil || d.config.SASL.User == "" {
		return ""
	}
	return fmt.Sprintf(" as %q", d.config.SASL.User)
}

// checkMechanism returns an AccessError if a broker does not take our mechanism, which sarama only says without those
// that it does take.
func (c *checkedConn) checkMechanism(encoded []byte) error {
	response := kmsg.SASLHandshakeResponse{Version: c.version}
	if response.ReadFrom(encoded) != nil {
		return nil // left to sarama
	}
	const unsupported, illegalState = 33, 34
	switch response.ErrorCode {
	case unsupported:
		e := access(OtherMechanism, c.address, "%s takes no login by %s, but by %s", c.address,
			c.dialer.config.SASL.Mechanism, strings.Join(response.SupportedMechanisms, ", "))
		e.Offered = response.SupportedMechanisms
		return e
	case illegalState:
		return access(WantsNoLogin, c.address, "%s takes no login", c.address)
	}
	return nil
}

// checkLogin returns an AccessError, with the broker's words, if it has refused a login.
func (c *checkedConn) checkLogin(encoded []byte) error {
	response := kmsg.SASLAuthenticateResponse{Version: c.version}
	if response.IsFlexible() && len(encoded) > 0 {
		encoded = encoded[1:] // tags of the header, of which Kafka has none
	}
	if response.ReadFrom(encoded) != nil {
		return nil // left to sarama
	}
	const failed = 58
	if response.ErrorCode != failed {
		return nil
	}
	text := "it does not say why"
	if response.ErrorMessage != nil && *response.ErrorMessage != "" {
		text = *response.ErrorMessage
	}
	e := access(LoginRefused, c.address, "%s refuses our login%s: %s", c.address, c.dialer.asUser(), text)
	e.User = c.dialer.config.SASL.User
	return e
}

// probe opens a connection that only asks a question.
func probe(address string) (net.Conn, error) {
	conn, err := net.DialTimeout("tcp", address, probeTimeout)
	if err == nil {
		err = conn.SetDeadline(time.Now().Add(probeTimeout))
	}
	return conn, err
}

// isTLS reports whether a server speaks TLS. Nothing is sent under it, so it does not matter who that is.
func isTLS(address string) bool {
	conn, err := probe(address)
	if err != nil {
		return false
	}
	defer conn.Close()
	err = tls.Client(conn, &tls.Config{InsecureSkipVerify: true}).Handshake()
	return err == nil || alertOf(err) != ""
}

// isKafka reports whether a broker speaks Kafka's protocol in plain text.
func isKafka(address string) bool {
	conn, err := probe(address)
	if err != nil {
		return false
	}
	defer conn.Close()
	_, err = ask(conn, kmsg.NewPtrApiVersionsRequest(), versionsBytesMax)
	return err == nil
}

// mechanisms returns by which mechanisms a broker lets clients log in; none if it wants no login.
func (d *dialer) mechanisms(address string) []string {
	conn, err := probe(address)
	if err != nil {
		return nil
	}
	defer conn.Close()
	if d.config.TLS != nil {
		secured, _, err := d.secure(conn, address, time.Now().Add(probeTimeout))
		if err != nil {
			return nil
		}
		conn = secured
		_ = conn.SetDeadline(time.Now().Add(probeTimeout))
	}
	request := kmsg.NewPtrSASLHandshakeRequest()
	request.Version, request.Mechanism = 1, "?" // none has that name, so a broker lists its own
	encoded, err := ask(conn, request, versionsBytesMax)
	response := kmsg.SASLHandshakeResponse{Version: request.Version}
	if err != nil || response.ReadFrom(encoded) != nil {
		return nil
	}
	return response.SupportedMechanisms
}

// ask sends a request, of a version that is not flexible, and returns the response without its header. It is the first
// request of ours on the connection, or none of another correlation id is in flight.
func ask(conn net.Conn, request kmsg.Request, sizeMax uint32) ([]byte, error) {
	if _, err := conn.Write(kmsg.NewRequestFormatter().AppendRequest(nil, request, 1)); err != nil {
		return nil, err
	}
	var head [8]byte
	if _, err := io.ReadFull(conn, head[:]); err != nil {
		return nil, err
	}
	size := binary.BigEndian.Uint32(head[:])
	if size < 4 || size > sizeMax || binary.BigEndian.Uint32(head[4:]) != 1 {
		return nil, errors.New("not a response of Kafka's")
	}
	return receive(conn, nil, int(size)-4, nil)
}
