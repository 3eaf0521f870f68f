// Package properties reads the client.properties of Kafka's own tools, in the spelling of Java's client and in that of
// librdkafka, and the keys of ours in such a file. It connects nothing, and reads no other file.
package properties

import (
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/magiconair/properties"
	"github.com/xrash/smetrics"

	"bizumctl/bizum/kafka/credentials"
)

// Settings is what a file says. What it does not say is empty.
type Settings struct {
	Brokers  string
	ClientID string
	Secured  bool // TLS
	TLS      credentials.TLS
	Login    Login

	Own     map[string]string // ours, without their prefix
	Unused  []string          // keys that mean nothing to us
	Similar map[string]string // of Unused, those that look like a key that we know, and that one
}

// Login is how the file says that we authenticate.
type Login struct {
	Mechanism string // by Kafka's name; empty: not at all
	User      string
	Password  string
}

// OwnPrefix begins the keys that are ours.
const OwnPrefix = "bizumctl."

// The keys that we use, by Java's spelling; and librdkafka's, where it differs.
const (
	brokers       = "bootstrap.servers"
	clientID      = "client.id"
	protocol      = "security.protocol"
	mechanism     = "sasl.mechanism"
	jaas          = "sasl.jaas.config"
	user          = "sasl.username" // librdkafka
	password      = "sasl.password" // librdkafka
	trustType     = "ssl.truststore.type"
	trustFile     = "ssl.truststore.location"
	trustText     = "ssl.truststore.certificates"
	keyStoreType  = "ssl.keystore.type"
	keyStoreFile  = "ssl.keystore.location"
	chainText     = "ssl.keystore.certificate.chain"
	keyText       = "ssl.keystore.key"
	keyPassword   = "ssl.key.password"
	hostCheck     = "ssl.endpoint.identification.algorithm"
	caFile        = "ssl.ca.location"          // librdkafka
	caText        = "ssl.ca.pem"               // librdkafka
	certFile      = "ssl.certificate.location" // librdkafka
	certText      = "ssl.certificate.pem"      // librdkafka
	keyFile       = "ssl.key.location"         // librdkafka
	keyTextRd     = "ssl.key.pem"              // librdkafka
	verification  = "enable.ssl.certificate.verification"
	trustPassword = "ssl.truststore.password"
	storePassword = "ssl.keystore.password"
)

var used = []string{brokers, clientID, protocol, mechanism, jaas, user, password, trustType, trustFile, trustText,
	keyStoreType, keyStoreFile, chainText, keyText, keyPassword, hostCheck, caFile, caText, certFile, certText, keyFile,
	keyTextRd, verification, trustPassword, storePassword}

// alias are librdkafka's other names.
var alias = map[string]string{"metadata.broker.list": brokers, "sasl.mechanisms": mechanism}

// secrets are the keys whose values nobody else may read.
var secrets = []string{jaas, password, keyText, keyTextRd, keyPassword, trustPassword, storePassword}

// Read reads a file. Its errors name the file, and quote no secret.
func Read(path string) (*Settings, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	f, err := parse(string(text))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if slices.ContainsFunc(secrets, func(key string) bool { return f.values[key] != "" }) {
		info, err := os.Stat(path)
		if err == nil {
			err = credentials.CheckPrivate(path, info)
		}
		if err != nil {
			return nil, err
		}
	}
	settings, err := f.settings()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return settings, nil
}

// file is a file's keys and values, the keys in one spelling.
type file struct {
	values map[string]string
	own    map[string]string
	unused []string
}

func parse(text string) (*file, error) {
	loader := properties.Loader{Encoding: properties.UTF8, DisableExpansion: true} // ${ may be part of a password
	all, err := loader.LoadBytes([]byte(text))
	if err != nil {
		return nil, fmt.Errorf("not a properties file") // its error quotes the text
	}
	f := &file{values: make(map[string]string), own: make(map[string]string)}
	for _, key := range all.Keys() {
		value, _ := all.Get(key)
		value = strings.TrimSpace(value)
		if ours, ok := strings.CutPrefix(key, OwnPrefix); ok {
			f.own[ours] = value
			continue
		}
		if other, ok := alias[key]; ok {
			key = other
		}
		if !slices.Contains(used, key) {
			f.unused = append(f.unused, key)
			continue
		}
		f.values[key] = value
	}
	return f, nil
}

// settings makes Settings of the values.
func (f *file) settings() (*Settings, error) {
	v := f.values
	s := &Settings{Brokers: v[brokers], ClientID: v[clientID], Own: f.own, Unused: f.unused,
		Similar: make(map[string]string)}
	for _, key := range f.unused {
		if near := nearest(key, used); near != "" {
			s.Similar[key] = near
		}
	}
	kind := strings.ToUpper(v[protocol])
	if !slices.Contains([]string{"", "PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"}, kind) {
		return nil, fmt.Errorf("%s=%s: want PLAINTEXT, SSL, SASL_PLAINTEXT or SASL_SSL", protocol, v[protocol])
	}
	if kind == "" {
		for key := range v {
			if strings.HasPrefix(key, "sasl.") || strings.HasPrefix(key, "ssl.") {
				return nil, fmt.Errorf("%s is set, but not %s, without which Kafka uses neither TLS nor a login: "+
					"add %s=SASL_SSL, or SSL, or SASL_PLAINTEXT", key, protocol, protocol)
			}
		}
	}
	var err error
	if s.Secured = strings.HasSuffix(kind, "SSL"); s.Secured {
		if s.TLS, err = f.tls(); err != nil {
			return nil, err
		}
	}
	if strings.HasPrefix(kind, "SASL") {
		s.Login, err = f.login()
	}
	return s, err
}

// tls reads where certificates are, in both spellings.
func (f *file) tls() (t credentials.TLS, err error) {
	v := f.values
	t = credentials.TLS{CA: pem(v[caFile], v[caText]), Certificate: pem(v[certFile], v[certText]),
		Key: pem(v[keyFile], v[keyTextRd]), Insecure: strings.EqualFold(v[verification], "false")}
	check, checked := v[hostCheck]
	t.AnyHost = checked && (check == "" || strings.EqualFold(check, "none"))
	if v[trustFile] != "" || v[trustText] != "" {
		if t.CA, err = store(v[trustType], trustType, v[trustFile], v[trustText], "-nokeys"); err != nil {
			return t, err
		}
	}
	if v[keyStoreFile] != "" || v[chainText] != "" {
		if t.Certificate, err = store(v[keyStoreType], keyStoreType, v[keyStoreFile], v[chainText], "-nodes"); err != nil {
			return t, err
		}
		if v[keyText] != "" {
			t.Key = pem("", v[keyText])
		}
	}
	return t, nil
}

func pem(path, text string) credentials.PEM {
	if text != "" {
		return credentials.PEM{Text: text}
	}
	return credentials.PEM{File: path}
}

// store returns the PEM that a store of Java's has. A store of another type is left to whoever reads it, who sees what
// it is; unless the file says that it is none of PEM, which Java's default is.
func store(kind, key, path, text, option string) (credentials.PEM, error) {
	if path == "" || strings.EqualFold(kind, "PEM") {
		return pem(path, text), nil
	}
	head := make([]byte, len(pemHead))
	if f, err := os.Open(path); err == nil {
		_, _ = f.Read(head)
		f.Close()
	}
	if string(head) == pemHead {
		return credentials.PEM{}, fmt.Errorf("%s is PEM, and Java's client takes it only with %s=PEM: add that", path, key)
	}
	return credentials.PEM{}, fmt.Errorf("%s is a Java key store, and only PEM can be read; convert it: %s; then set "+
		"%s=PEM, and its location to store.pem", path,
		credentials.Conversion(path, "store.pem", option, !strings.EqualFold(kind, "PKCS12")), key)
}

const pemHead = "-----BEGIN "

// otherKeys are keys of Kafka's clients that look like ours.
var otherKeys = []string{"ssl.crl.location"}

// nearest returns the word that another may be a slip of, empty if there is none.
func nearest(word string, words []string) (near string) {
	if slices.Contains(otherKeys, word) {
		return ""
	}
	best := 3 // letters to change, one more than are let pass
	for _, w := range words {
		if slips := smetrics.WagnerFischer(word, w, 1, 1, 1); slips < best {
			near, best = w, slips
		}
	}
	return near
}
