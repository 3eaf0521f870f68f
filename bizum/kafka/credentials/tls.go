// Package credentials makes what opens a secured cluster out of what people have: certificates in PEM, files with a
// password, commands that print a token. It knows nothing of Kafka's protocol, and keeps nothing.
package credentials

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
)

// PEM is a text in PEM: the text itself, or the file that has it.
type PEM struct {
	File string
	Text string // if not empty, there is no file
}

func (p PEM) exists() bool { return p != PEM{} }

// TLS is what a TLS configuration is made of. Its zero value takes the authorities that the system knows.
type TLS struct {
	CA          PEM // of the broker's certificate
	Certificate PEM // our own, perhaps with its key
	Key         PEM // if Certificate does not have it
	ServerName  string
	Insecure    bool // anybody may be the broker
	AnyHost     bool // the broker's certificate may be for another host
}

// Config makes the configuration. It reads the files anew each time: certificates are renewed while a program runs.
func (t TLS) Config() (*tls.Config, error) {
	config := &tls.Config{ServerName: t.ServerName, InsecureSkipVerify: t.Insecure}
	if t.CA.exists() {
		text, err := t.CA.read("certificate", "-nokeys")
		if err != nil {
			return nil, err
		}
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(text) {
			return nil, fmt.Errorf("%s: has no certificate in PEM", t.CA.name())
		}
	}
	if t.Certificate.exists() || t.Key.exists() {
		own, err := t.own()
		if err != nil {
			return nil, err
		}
		config.Certificates = []tls.Certificate{own}
	}
	if t.AnyHost && !t.Insecure {
		config.InsecureSkipVerify = true
		config.VerifyConnection = func(s tls.ConnectionState) error { return verifyAuthority(s, config.RootCAs) }
	}
	return config, nil
}

// verifyAuthority checks a certificate as crypto/tls does, but for its host.
func verifyAuthority(s tls.ConnectionState, roots *x509.CertPool) error {
	between := x509.NewCertPool()
	for _, c := range s.PeerCertificates[1:] {
		between.AddCert(c)
	}
	_, err := s.PeerCertificates[0].Verify(x509.VerifyOptions{Roots: roots, Intermediates: between})
	return err
}

// own reads our certificate and its key.
func (t TLS) own() (own tls.Certificate, err error) {
	if !t.Certificate.exists() {
		return own, errors.New("there is a key, but no certificate")
	}
	certificate, err := t.Certificate.read("certificate", "-nodes")
	if err != nil {
		return own, err
	}
	key, keyName := certificate, t.Certificate.name()
	if t.Key.exists() {
		keyName = t.Key.name()
		if key, err = t.Key.read("key", "-nodes"); err != nil {
			return own, err
		}
	}
	switch {
	case encrypted(key):
		return own, fmt.Errorf("%s: the key is encrypted; openssl pkey -in %s -out key.pem decrypts it", keyName, keyName)
	case !bytes.Contains(key, []byte("PRIVATE KEY-----")):
		return own, fmt.Errorf("%s: has no private key in PEM", keyName)
	}
	if own, err = tls.X509KeyPair(certificate, key); err != nil {
		return own, fmt.Errorf("%s and its key: %w", t.Certificate.name(), err)
	}
	own.Leaf, err = x509.ParseCertificate(own.Certificate[0])
	return own, err
}

// Subject returns the subject of our certificate, empty if there is none.
func (t TLS) Subject() (string, error) {
	if !t.Certificate.exists() {
		return "", nil
	}
	own, err := t.own()
	if err != nil {
		return "", err
	}
	return own.Leaf.Subject.String(), nil
}

func encrypted(key []byte) bool {
	for block, rest := pem.Decode(key); block != nil; block, rest = pem.Decode(rest) {
		if block.Type == "ENCRYPTED PRIVATE KEY" || block.Headers["DEK-Info"] != "" {
			return true
		}
	}
	return false
}

// name is what an error calls it.
func (p PEM) name() string {
	if p.File == "" {
		return "the certificate or key in the configuration"
	}
	return p.File
}

// read returns the text. If the file is a store of Java's, the error says how to convert it: openssl with the option.
func (p PEM) read(what, option string) ([]byte, error) {
	if p.Text != "" {
		return []byte(p.Text), nil
	}
	text, err := os.ReadFile(p.File)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", what, err)
	}
	const jks, jceks, asn1Sequence = "\xfe\xed\xfe\xed", "\xce\xce\xce\xce", "\x30"
	switch {
	case bytes.HasPrefix(text, []byte(jks)) || bytes.HasPrefix(text, []byte(jceks)):
		return nil, fmt.Errorf("%s is a Java key store; convert it to PEM: %s", p.File,
			Conversion(p.File, what+".pem", option, true))
	case bytes.HasPrefix(text, []byte(asn1Sequence)):
		return nil, fmt.Errorf("%s is a PKCS12 store, or DER; convert it to PEM: %s", p.File,
			Conversion(p.File, what+".pem", option, false))
	}
	return text, nil
}

// Conversion returns the commands that convert a store to PEM. The option is openssl's: which part of the store.
func Conversion(store, to, option string, java bool) string {
	if java {
		return fmt.Sprintf("keytool -importkeystore -srckeystore %s -destkeystore store.p12 -deststoretype PKCS12 && ",
			store) + Conversion("store.p12", to, option, false)
	}
	return fmt.Sprintf("openssl pkcs12 -in %s %s -out %s", store, option, to)
}
