package properties

import (
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"bizumctl/bizum/kafka/credentials"
)

func written(t *testing.T, text string, mode os.FileMode) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "client.properties")
	if err := os.WriteFile(path, []byte(text), mode); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestRead: what Java's client and librdkafka would understand.
func TestRead(t *testing.T) {
	const plain = `sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required \
  username="ana" \
  password="a\\"b;c= ${d}";`
	for name, c := range map[string]struct {
		text string
		want Settings
	}{
		"empty": {"# nothing\n", Settings{}},
		"plain text": {"bootstrap.servers = a:1,b:2\nclient.id=x\nsecurity.protocol=PLAINTEXT\nsasl.username=ana",
			Settings{Brokers: "a:1,b:2", ClientID: "x"}},
		"Java": {"security.protocol=SASL_SSL\nsasl.mechanism=PLAIN\n" + plain, Settings{Secured: true,
			Login: Login{"PLAIN", "ana", `a"b;c= ${d}`}}},
		"Java, in quotation marks": {"security.protocol=sasl_plaintext\nsasl.mechanism=SCRAM-SHA-512\nsasl.jaas.config=" +
			`"org.apache.kafka.common.security.scram.ScramLoginModule required username=ana password='x y';"`,
			Settings{Login: Login{"SCRAM-SHA-512", "ana", "x y"}}},
		"Java, stores": {"security.protocol=SSL\nssl.truststore.type=PEM\nssl.truststore.location=/ca\n" +
			"ssl.keystore.type=PEM\nssl.keystore.location=/own\nssl.endpoint.identification.algorithm=",
			Settings{Secured: true, TLS: credentials.TLS{CA: credentials.PEM{File: "/ca"},
				Certificate: credentials.PEM{File: "/own"}, AnyHost: true}}},
		"Java, texts": {"security.protocol=SSL\nssl.truststore.type=PEM\nssl.truststore.certificates=CA\n" +
			"ssl.keystore.type=PEM\nssl.keystore.certificate.chain=CHAIN\nssl.keystore.key=KEY\n" +
			"ssl.endpoint.identification.algorithm=https",
			Settings{Secured: true, TLS: credentials.TLS{CA: credentials.PEM{Text: "CA"},
				Certificate: credentials.PEM{Text: "CHAIN"}, Key: credentials.PEM{Text: "KEY"}}}},
		"librdkafka": {"metadata.broker.list=a:1\nsecurity.protocol=sasl_ssl\nsasl.mechanisms=SCRAM-SHA-256\n" +
			"sasl.username=ana\nsasl.password=p$q\nssl.ca.location=/ca\nssl.certificate.location=/c\nssl.key.location=/k\n" +
			"enable.ssl.certificate.verification=false",
			Settings{Brokers: "a:1", Secured: true, Login: Login{"SCRAM-SHA-256", "ana", "p$q"},
				TLS: credentials.TLS{CA: credentials.PEM{File: "/ca"}, Certificate: credentials.PEM{File: "/c"},
					Key: credentials.PEM{File: "/k"}, Insecure: true}}},
		"ours": {"bizumctl.topic=pagos\nbizumctl.from=-20", Settings{Own: map[string]string{"topic": "pagos", "from": "-20"}}},
		"others": {"acks=all\nbootstrap.server=a:1\nssl.crl.location=/x",
			Settings{Unused: []string{"acks", "bootstrap.server", "ssl.crl.location"},
				Similar: map[string]string{"bootstrap.server": "bootstrap.servers"}}},
	} {
		got, err := Read(written(t, c.text, 0o600))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if got.Brokers != c.want.Brokers || got.ClientID != c.want.ClientID || got.Secured != c.want.Secured ||
			got.TLS != c.want.TLS || got.Login != c.want.Login || !maps.Equal(got.Own, c.want.Own) ||
			!maps.Equal(got.Similar, c.want.Similar) || strings.Join(got.Unused, " ") != strings.Join(c.want.Unused, " ") {
			t.Errorf("%s:\ngot  %+v\nwant %+v", name, *got, c.want)
		}
	}
}

// TestReadRefuses: each error says what to change, and quotes no secret.
func TestReadRefuses(t *testing.T) {
	const secret = "hush-hush"
	dir := t.TempDir()
	for name, head := range map[string]string{"jks": "\xfe\xed\xfe\xed", "p12": "\x30\x82", "pem": pemHead + "CERTIFICATE"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(head), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	login := "security.protocol=SASL_SSL\nsasl.mechanism=PLAIN\nsasl.jaas.config="
	for text, want := range map[string]string{
		"security.protocol=TLS":       "security.protocol=TLS: want PLAINTEXT, SSL",
		"sasl.password=" + secret:     "sasl.password is set, but not security.protocol",
		"security.protocol=SASL_SSL":  "sasl.mechanism is not set: want PLAIN",
		login + "hush":                "sasl.jaas.config: it does not end in a semicolon",
		login + "a.PlainLoginModule;": "want the class of a login module, required",
		login + `a.PlainLoginModule required username="ana password=` + secret + `;`:        "a quotation mark is not closed",
		login + `a.PlainLoginModule required username="ana" ` + secret + `;`:                "an option has no value",
		login + `a.PlainLoginModule required password="` + secret + `";`:                    "PlainLoginModule has no username",
		login + `com.sun.security.auth.module.Krb5LoginModule required useKeyTab=true;`:     "Krb5LoginModule is not supported",
		"security.protocol=SSL\nssl.truststore.location=" + dir + "/jks":                    "jks is a Java key store, and only PEM can be read; convert it: keytool -importkeystore -srckeystore",
		"security.protocol=SSL\nssl.truststore.type=PKCS12\nssl.truststore.location=/a.p12": "convert it: openssl pkcs12 -in /a.p12 -nokeys -out store.pem; then set ssl.truststore.type=PEM",
		"security.protocol=SSL\nssl.keystore.type=PKCS12\nssl.keystore.location=/a.p12":     "openssl pkcs12 -in /a.p12 -nodes -out store.pem; then set ssl.keystore.type=PEM",
		"security.protocol=SSL\nssl.truststore.location=" + dir + "/pem":                    "takes it only with ssl.truststore.type=PEM: add that",
		"bootstrap.servers=\\u00zz": "not a properties file",
	} {
		path := written(t, text, 0o600)
		_, err := Read(path)
		if err == nil || !strings.Contains(err.Error(), want) || !strings.HasPrefix(err.Error(), path) {
			t.Errorf("%s: %v; want %s", text, err, want)
		}
		if err != nil && strings.Contains(err.Error(), secret) {
			t.Errorf("%s: %v", text, err)
		}
	}
}

// TestReadPrivate: a file with a secret is the business of its owner, and of a group that he chose.
func TestReadPrivate(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("permissions are those of Unix")
	}
	for _, c := range []struct {
		text string
		mode os.FileMode
		ok   bool
	}{
		{"bootstrap.servers=a:1", 0o644, true},
		{"security.protocol=SASL_SSL\nsasl.mechanism=PLAIN\nsasl.username=a\nsasl.password=b", 0o600, true},
		{"security.protocol=SASL_SSL\nsasl.mechanism=PLAIN\nsasl.username=a\nsasl.password=b", 0o640, true},
		{"security.protocol=SASL_SSL\nsasl.mechanism=PLAIN\nsasl.username=a\nsasl.password=b", 0o644, false},
		{"security.protocol=SSL\nssl.keystore.type=PEM\nssl.keystore.key=x", 0o644, false},
	} {
		path := written(t, c.text, 0o600)
		if err := os.Chmod(path, c.mode); err != nil {
			t.Fatal(err)
		}
		_, err := Read(path)
		if (err == nil) != c.ok || err != nil && !strings.HasSuffix(err.Error(), "chmod 600 "+path) {
			t.Errorf("%s, %v: %v", c.text, c.mode, err)
		}
	}
}
