package commands_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"

	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/creack/pty"
	"github.com/dustin/go-humanize"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/sasl"
	saslplain "github.com/twmb/franz-go/pkg/sasl/plain"
	"golang.org/x/term"
)

// securedKafka is the first port of a Kafka that .ci/kafka has started with BIZUMCTL_KAFKA_SECURED, and securedDir its
// folder.
var (
	securedKafka = os.Getenv("BIZUMCTL_TEST_SECURED")
	securedDir   = os.Getenv("BIZUMCTL_KAFKA_DIR")
)

// secured is a cluster, or several, with a listener for each thing that may be wrong.
type secured struct {
	*testing.T
	certs     string // folder
	addresses map[string]string
	admin     *kadm.Client
	onKafka   bool
}

// listeners are those of .ci/kafka, with the distances of their ports.
var listeners = map[string]int{"PLAINTEXT": 0, "SSL": 2, "CLIENTCERT": 3, "SASLPLAIN": 4, "SASLSSL": 5, "EXPIRED": 6,
	"OTHERHOST": 7, "SHORT": 8, "PLAINONLY": 9}

// onSecured runs a test on embedded brokers, and on a Kafka if there is one.
func onSecured(t *testing.T, run func(s *secured)) {
	onPath(t)
	t.Run("embedded", func(t *testing.T) { run(embeddedSecured(t)) })
	if securedKafka == "" {
		t.Log("on embedded brokers only: BIZUMCTL_TEST_SECURED is not set, see .ci/README.md")
		return
	}
	t.Run("kafka", func(t *testing.T) { run(kafkaSecured(t)) })
}

// kafkaSecured is the Kafka that .ci/kafka has started.
func kafkaSecured(t *testing.T) *secured {
	_, first, err := net.SplitHostPort(securedKafka)
	if err != nil {
		t.Fatal(err)
	}
	port, _ := strconv.Atoi(first)
	s := &secured{T: t, certs: filepath.Join(securedDir, "certs"), addresses: make(map[string]string), onKafka: true}
	for name, distance := range listeners {
		s.addresses[name] = fmt.Sprintf("localhost:%d", port+distance)
	}
	s.connect(kgo.SeedBrokers(securedKafka))
	return s
}

func (s *secured) connect(options ...kgo.Opt) {
	client, err := kgo.NewClient(options...)
	if err != nil {
		s.Fatal(err)
	}
	s.Cleanup(client.Close)
	s.admin = kadm.NewClient(client)
}

// embeddedSecured starts an embedded broker for each listener; those with logins share nothing.
func embeddedSecured(t *testing.T) *secured {
	s := &secured{T: t, certs: t.TempDir(), addresses: make(map[string]string)}
	ca, other := s.authority("ca"), s.authority("otherca")
	server := s.issue(ca, "server", []string{"localhost"}, time.Now().AddDate(0, 1, 0))
	s.issue(ca, "client", []string{"client"}, time.Now().AddDate(0, 1, 0))
	s.issue(other, "stranger", []string{"client"}, time.Now().AddDate(0, 1, 0))
	clients := x509.NewCertPool()
	clients.AddCert(ca.Leaf)
	over := func(c tls.Certificate) kfake.Opt {
		return kfake.TLS(&tls.Config{Certificates: []tls.Certificate{c}})
	}
	users := []kfake.Opt{kfake.EnableSASL(), kfake.EnableACLs()}
	for _, mechanism := range []string{"PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"} {
		users = append(users, kfake.Superuser(mechanism, "ana", "ana-example"),
			kfake.User(mechanism, "luis", "luis-example"))
	}
	for name, options := range map[string][]kfake.Opt{
		"PLAINTEXT": nil,
		"SSL":       {over(server)},
		"CLIENTCERT": {kfake.TLS(&tls.Config{Certificates: []tls.Certificate{server}, ClientCAs: clients,
			ClientAuth: tls.RequireAndVerifyClientCert})},
		"EXPIRED":   {over(s.issue(ca, "expired", []string{"localhost"}, time.Now().AddDate(0, 0, -1)))},
		"OTHERHOST": {over(s.issue(ca, "otherhost", []string{"kafka.example"}, time.Now().AddDate(0, 1, 0)))},
		"SASLPLAIN": users,
		"SASLSSL":   append(slices.Clone(users), over(server)),
	} {
		fake, err := kfake.NewCluster(append(options, kfake.NumBrokers(1), kfake.DefaultNumPartitions(1))...)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(fake.Close)
		_, port, _ := net.SplitHostPort(fake.ListenAddrs()[0])
		s.addresses[name] = "localhost:" + port
	}
	return s
}

// authority makes a certificate that signs others.
func (s *secured) authority(name string) tls.Certificate {
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().AddDate(0, 1, 0), IsCA: true,
		BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	return s.sign(name, template, nil)
}

// issue makes a certificate for some hosts.
func (s *secured) issue(ca tls.Certificate, name string, hosts []string, until time.Time) tls.Certificate {
	template := &x509.Certificate{SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name},
		NotBefore: time.Now().AddDate(0, 0, -9), NotAfter: until, DNSNames: hosts}
	if slices.Contains(hosts, "localhost") { // as the embedded broker advertises itself
		template.IPAddresses = []net.IP{net.IPv4(127, 0, 0, 1)}
	}
	return s.sign(name, template, &ca)
}

// sign signs a certificate, itself if there is no authority, and writes it and its key.
func (s *secured) sign(name string, template *x509.Certificate, by *tls.Certificate) tls.Certificate {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		s.Fatal(err)
	}
	parent, signer := template, any(key)
	if by != nil {
		parent, signer = by.Leaf, by.PrivateKey
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, signer)
	if err != nil {
		s.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		s.Fatal(err)
	}
	certificate := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	private := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER})
	for file, text := range map[string][]byte{".pem": certificate, ".key": private, "-store.pem": append(private, certificate...)} {
		if err := os.WriteFile(filepath.Join(s.certs, name+file), text, 0o600); err != nil {
			s.Fatal(err)
		}
	}
	pair, err := tls.X509KeyPair(certificate, private)
	if err != nil {
		s.Fatal(err)
	}
	return pair
}

// run runs bizumctl with the words of a line at a listener; $C is the folder of certificates. It returns what it has
// printed and its exit code.
func (s *secured) run(password, line, listener string, more ...string) (stdout, stderr string, code int) {
	s.Helper()
	args := strings.Fields(strings.ReplaceAll(line, "$C", s.certs))
	args = slices.Concat(args, []string{"--brokers", s.addresses[listener]}, more)
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "bizumctl", args...)
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + s.certs, "BIZUMCTL_PASSWORD=" + password}
	var out, faults strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &faults
	err := cmd.Run()
	if err != nil && !errors.As(err, new(*exec.ExitError)) {
		s.Fatalf("%s: %v", args, err)
	}
	if password != "" && strings.Contains(out.String()+faults.String(), password) {
		s.Errorf("%s shows the password:\n%s%s", args, &out, &faults)
	}
	return out.String(), faults.String(), cmd.ProcessState.ExitCode()
}

const anaPassword, luisPassword = "ana-example", "luis-example"

// unsecuredToken is a token without a signature, for Kafka's validator of tests.
func unsecuredToken(user string, expires time.Duration) string {
	now := time.Now()
	return joinToken(`{"alg":"none"}`, fmt.Sprintf(`{"sub":%q,"iat":%d,"exp":%d}`, user, now.Add(-time.Hour).Unix(),
		now.Add(expires).Unix()))
}

// TestSecured: each way in works, for each kind of work.
func TestSecured(t *testing.T) {
	onSecured(t, func(s *secured) {
		for _, c := range []struct{ name, listener, flags, password string }{
			{"tls", "SSL", "--tls-ca $C/ca.pem", ""},
			{"nobody checked", "SSL", "--tls-insecure", ""},
			{"other name", "OTHERHOST", "--tls-ca $C/ca.pem --tls-server-name kafka.example", ""},
			{"client certificate", "CLIENTCERT", "--tls-ca $C/ca.pem --tls-cert $C/client.pem --tls-key $C/client.key", ""},
			{"certificate with its key", "CLIENTCERT", "--tls-ca $C/ca.pem --tls-cert $C/client-store.pem", ""},
			{"plain", "SASLPLAIN", "--sasl plain --user ana", anaPassword},
			{"scram-256", "SASLPLAIN", "--sasl scram-sha-256 --user ana", anaPassword},
			{"scram-512 over tls", "SASLSSL", "--tls-ca $C/ca.pem --sasl SCRAM-SHA-512 --user ana", anaPassword},
			{"token", "SASLPLAIN", "", ""},
		} {
			if c.name == "token" && !s.onKafka {
				continue // the embedded broker takes no tokens
			}
			s.Run(c.name, func(t *testing.T) {
				var more []string
				if c.name == "token" {
					more = []string{"--token-command", "echo " + unsecuredToken("ana", time.Hour)}
				}
				more = append(more, "--topic", fmt.Sprintf("paid-%x", time.Now().UnixNano()))
				for _, step := range []struct{ command, stdout, stderr string }{
					{"produce --count 20 --rate max --seed 1", "", "20 bizums sent"},
					{"consume --exit --raw", "(?s)^(.*\n){20}$", ""},
					{"balance --exit --output none", "", "20 bizums, closing balance"},
					{"balance --exit --group caja --output csv", "(?s)^(.*\n){21}$", ""},
					{"audit --group caja", "", ""},
					{"ping", "may be read and written", ""},
				} {
					stdout, stderr, code := s.run(c.password, step.command+" "+c.flags, c.listener, more...)
					if code != 0 || !regexp.MustCompile(step.stdout).MatchString(stdout) || !strings.Contains(stderr, step.stderr) {
						t.Errorf("%s: exit code %d\n%s\n%s", step.command, code, stdout, stderr)
					}
				}
			})
		}
	})
}

// TestRefused: each reason not to be let in has its sentence, and what to change.
func TestRefused(t *testing.T) {
	onSecured(t, func(s *secured) {
		for _, c := range []struct{ name, listener, flags, password, want, hint string }{
			{"plain text to tls", "SSL", "", "", "%s speaks TLS", "add --tls"},
			{"tls to plain text", "PLAINTEXT", "--tls", "", "%s does not speak TLS", "leave out --tls"},
			{"unknown authority", "SSL", "--tls", "", `the certificate of %s is signed by "CN=ca", whom we do not know`,
				"--tls-ca FILE"},
			{"expired", "EXPIRED", "--tls-ca $C/ca.pem", "", `the certificate of %s \(CN=.*\) expired on 20`,
				"needs a new certificate"},
			{"other host", "OTHERHOST", "--tls-ca $C/ca.pem", "",
				"the certificate of %s is for kafka.example, not for localhost", "--tls-server-name kafka.example"},
			{"no client certificate", "CLIENTCERT", "--tls-ca $C/ca.pem", "", "%s wants a certificate of us",
				"--tls-cert FILE"},
			{"strange client certificate", "CLIENTCERT",
				"--tls-ca $C/ca.pem --tls-cert $C/stranger.pem --tls-key $C/stranger.key", "",
				"%s refuses our certificate: ", "check --tls-cert"},
			{"no login", "SASLPLAIN", "", "", "%s wants a login, by .*SCRAM-SHA-512", "--sasl scram-sha-512 --user NAME"},
			{"no login over tls", "SASLSSL", "--tls-ca $C/ca.pem", "", "%s wants a login, by .*SCRAM-SHA-512",
				"--sasl scram-sha-512 --user NAME"},
			{"plain text to tls with login", "SASLSSL", "--sasl plain --user ana", anaPassword, "%s speaks TLS", "add --tls"},
			{"wrong password", "SASLPLAIN", "--sasl scram-sha-512 --user ana", "wrong-example",
				`%s (refuses our login|closed the connection when we logged in) as "ana"`, "check --user"},
			{"wrong password, plain", "SASLPLAIN", "--sasl plain --user ana", "wrong-example",
				`%s (refuses our login|closed the connection when we logged in) as "ana"`, "check --user"},
			{"unknown user", "SASLSSL", "--tls-ca $C/ca.pem --sasl scram-sha-256 --user eva", "wrong-example",
				`%s (refuses our login|closed the connection when we logged in) as "eva"`, "check --user"},
			{"login to none", "PLAINTEXT", "--sasl plain --user ana", anaPassword, "%s (takes no login|closed)", "--"},
			{"other mechanism", "PLAINONLY", "--sasl scram-sha-512 --user ana", anaPassword,
				"%s takes no login by SCRAM-SHA-512, but by PLAIN", "--sasl plain --user NAME"},
			{"token command fails", "SASLPLAIN", "--token-command false", "", "no token: the command for it: exit status 1",
				"check --token-command"},
		} {
			for _, command := range []string{"ping", "consume --exit", "produce --count 1", "balance --group g --exit"} {
				address, known := s.addresses[c.listener]
				if !known || !s.onKafka && strings.Contains(c.flags, "token") {
					continue
				}
				s.Run(c.name+" "+command, func(t *testing.T) {
					_, stderr, code := s.run(c.password, command+" --topic t "+c.flags, c.listener)
					want := "(?m)^bizumctl: error: " + fmt.Sprintf(c.want, address) + ".*$"
					if strings.Count(c.want, "%s") == 0 {
						want = "(?m)^bizumctl: error: " + c.want
					}
					if code != 1 || !regexp.MustCompile(want).MatchString(stderr) ||
						!regexp.MustCompile("(?m)^bizumctl: hint: .*"+c.hint).MatchString(stderr) {
						t.Errorf("exit code %d\n%s\nwant %s\nand %s", code, stderr, want, c.hint)
					}
				})
			}
		}
	})
}

// TestDenied: each right that is missing is named, with the command that grants it.
func TestDenied(t *testing.T) {
	onSecured(t, func(s *secured) {
		const topic = "denied"
		if !s.onKafka {
			s.connect(kgo.SeedBrokers(s.addresses["SASLPLAIN"]), kgo.SASL(plainLogin("ana", anaPassword)))
		}
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		if _, err := s.admin.CreateTopic(ctx, 1, 1, nil, topic); err != nil {
			s.Fatal(err)
		}
		defer s.admin.DeleteTopics(ctx, topic, topic+".libro.ledger", topic+".libro.rejected")
		s.run(anaPassword, "produce --count 1 --rate max --sasl plain --user ana --topic "+topic, "SASLPLAIN")
		anyACL := kadm.NewACLs().AnyResource().ResourcePatternType(kadm.ACLPatternAny).Operations().Allow("User:luis").AllowHosts().
			Deny("User:luis").DenyHosts()
		defer s.admin.DeleteACLs(ctx, anyACL)
		grant := func(acls *kadm.ACLBuilder) {
			results, err := s.admin.CreateACLs(ctx, acls.Allow("User:luis").ResourcePatternType(kadm.ACLPatternLiteral))
			if err != nil || results[0].Err != nil {
				s.Fatal(err, results)
			}
		}
		flags := " --sasl plain --user luis --topic " + topic
		for _, c := range []struct {
			command string
			right   string // that is missing
			grant   *kadm.ACLBuilder
		}{
			{"ping", "--operation Describe --topic denied", nil},
			{"consume --exit", "--operation Describe --topic denied",
				kadm.NewACLs().Topics(topic).Operations(kmsg.ACLOperationDescribe)},
			{"consume --exit", "--operation Read --topic denied", nil},
			{"produce --count 1 --rate max", "--operation IdempotentWrite --cluster; .*Write on the topic is enough",
				kadm.NewACLs().Topics(topic).Operations(kmsg.ACLOperationWrite)},
			{"produce --count 1 --rate max", "", nil},
			{"consume --exit", "--operation Read --topic denied",
				kadm.NewACLs().Topics(topic).Operations(kmsg.ACLOperationRead)},
			{"consume --exit", "", nil},
			{"consume --exit --group caja", "--operation Read --group caja",
				kadm.NewACLs().Groups("caja").Operations(kmsg.ACLOperationRead)},
			{"consume --exit --group caja", "", nil},
			{"balance --exit --group libro", "--operation DescribeConfigs --topic denied",
				kadm.NewACLs().Topics(topic).Operations(kmsg.ACLOperationDescribeConfigs)},
			{"balance --exit --group libro", "--operation (Create|Describe) --topic denied.libro.ledger",
				kadm.NewACLs().Topics("denied.libro.ledger", "denied.libro.rejected").Operations(kmsg.ACLOperationCreate,
					kmsg.ACLOperationRead, kmsg.ACLOperationDescribeConfigs)},
			{"balance --exit --group libro", "--operation Read --group libro",
				kadm.NewACLs().Groups("libro").Operations(kmsg.ACLOperationRead)},
			{"balance --exit --group libro", "--operation Write --transactional-id bizumctl/libro/denied/0",
				kadm.NewACLs().TransactionalIDs("bizumctl/libro/denied/0").Operations(kmsg.ACLOperationWrite,
					kmsg.ACLOperationDescribe)},
			{"balance --exit --group libro", "--operation Write --topic denied.libro.ledger",
				kadm.NewACLs().Topics("denied.libro.ledger", "denied.libro.rejected").Operations(kmsg.ACLOperationWrite)},
			{"balance --exit --group libro", "", nil},
		} {
			_, stderr, code := s.run(luisPassword, c.command+flags, "SASLPLAIN")
			switch {
			case c.right == "" && code != 0:
				s.Errorf("%s: exit code %d\n%s", c.command, code, stderr)
			case c.right == "":
			case code != 1 || !regexp.MustCompile("(?m)^bizumctl: error: .*User:luis has no right to ").MatchString(stderr) ||
				!regexp.MustCompile("(?m)^bizumctl: hint: .*kafka-acls .* User:luis "+c.right+"$").MatchString(stderr):
				s.Errorf("%s: exit code %d\n%s\nwant %s", c.command, code, stderr, c.right)
			}
			if c.grant != nil {
				grant(c.grant)
			}
		}
	})
}

// TestSessionsEnd: a broker ends the session of each login after five seconds, and every payment is there once all the
// same: sent at a rate and with pauses, read, and booked exactly once.
func TestSessionsEnd(t *testing.T) {
	if securedKafka == "" {
		t.Skip("BIZUMCTL_TEST_SECURED is not set: see .ci/README.md")
	}
	onPath(t)
	s := kafkaSecured(t)
	const count, paced = 6000, 5
	topic := fmt.Sprintf("sessions-%x", time.Now().UnixNano())
	flags := " --sasl scram-sha-256 --user ana --topic " + topic
	var work sync.WaitGroup
	run := func(line, want string) {
		work.Go(func() {
			stdout, stderr, code := s.run(anaPassword, line+flags, "SHORT")
			if code != 0 || !strings.Contains(stderr, want) {
				s.Errorf("%s: exit code %d\n%.2000s\n%s", line, code, stdout, stderr)
			}
		})
	}
	if _, stderr, code := s.run(anaPassword, "produce --count 1 --rate max --partitions 4"+flags, "SHORT"); code != 0 {
		s.Fatal(stderr)
	}
	all := count + paced + 1
	seen := humanize.Comma(int64(all)) + " bizums"
	run(fmt.Sprintf("consume --raw --count %d", all), seen)
	run(fmt.Sprintf("consume --raw --group seen --count %d", all), seen)
	run(fmt.Sprintf("balance --output none --group caja --count %d", all), seen)
	run(fmt.Sprintf("produce --accounts 20 --rate 400 --count %d", count), humanize.Comma(count)+" bizums sent")
	run(fmt.Sprintf("produce --min-delay 1s --max-delay 4s --count %d", paced), fmt.Sprintf("%d bizums sent", paced))
	work.Wait()
	stdout, stderr, code := s.run(anaPassword, "audit --group caja"+flags, "SHORT")
	if code != 0 || !strings.Contains(stdout+stderr, "6,006 payments") ||
		!strings.Contains(stdout+stderr, "0 missing, 0 double, 0 wrong") {
		s.Errorf("audit: exit code %d\n%s%s", code, stdout, stderr)
	}
}

func plainLogin(user, password string) sasl.Mechanism {
	return saslplain.Auth{User: user, Pass: password}.AsMechanism()
}

func joinToken(header, claims string) string {
	return base64.RawURLEncoding.EncodeToString([]byte(header)) + "." +
		base64.RawURLEncoding.EncodeToString([]byte(claims)) + "."
}

// TestPasswordAskedFor: a person at a terminal is asked, does not see what is typed, and may leave with Ctrl-C, after
// which the terminal shows again what is typed.
func TestPasswordAskedFor(t *testing.T) {
	onPath(t)
	s := embeddedSecured(t)
	ask := func(typed string) (shown string, code int) {
		terminal, child, err := pty.Open()
		if err != nil {
			t.Fatal(err)
		}
		defer terminal.Close()
		cmd := exec.Command("bizumctl", "ping", "--brokers", s.addresses["SASLPLAIN"], "--sasl", "plain", "--user", "ana",
			"--quiet")
		cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + s.certs, "TERM=dumb"}
		cmd.Stdin, cmd.Stdout, cmd.Stderr = child, child, child
		cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
		before, err := term.GetState(int(terminal.Fd()))
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		timeout := time.AfterFunc(20*time.Second, func() { _ = cmd.Process.Kill() })
		defer timeout.Stop()
		state := func() *term.State {
			state, err := term.GetState(int(terminal.Fd()))
			if err != nil {
				t.Fatal(err)
			}
			return state
		}
		var text strings.Builder
		buffer := make([]byte, 1000)
		for !strings.Contains(text.String(), "password of ana: ") {
			n, err := terminal.Read(buffer)
			if err != nil {
				t.Fatal(err, text.String())
			}
			text.Write(buffer[:n])
		}
		for reflect.DeepEqual(state(), before) {
			time.Sleep(time.Millisecond) // between two looks: the terminal hides what is typed just after the question
		}
		if _, err := terminal.WriteString(typed); err != nil {
			t.Fatal(err)
		}
		_ = cmd.Wait() // its output fits into the terminal's buffer
		if !reflect.DeepEqual(state(), before) {
			t.Errorf("after %q the terminal is not as it was", typed)
		}
		child.Close()
		rest, _ := io.ReadAll(terminal) // ends with EIO
		text.Write(rest)
		return text.String(), cmd.ProcessState.ExitCode()
	}
	shown, code := ask(anaPassword + "\n")
	if !strings.Contains(shown, `login       by PLAIN as "ana"`) || strings.Contains(shown, anaPassword) {
		t.Errorf("exit code %d\n%s", code, shown)
	}
	shown, code = ask("\x03")
	if code != 1 || !strings.Contains(shown, "interrupted before there was a password") {
		t.Errorf("after Ctrl-C: exit code %d\n%s", code, shown)
	}
	shown, code = ask("\n")
	if code != 2 || !strings.Contains(shown, "the password is empty") {
		t.Errorf("after Enter: exit code %d\n%s", code, shown)
	}
}
