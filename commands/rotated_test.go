package commands_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// TestRotated: a Kafka gets another authority, and new certificates, its clients too, and a user another password, while
// payments are sent, read and booked. All of them connect again, and every payment is there once.
func TestRotated(t *testing.T) {
	if securedKafka == "" || realControl == "" {
		t.Skip("BIZUMCTL_TEST_SECURED and BIZUMCTL_TEST_KAFKA are not set: see .ci/README.md")
	}
	onPath(t)
	s := kafkaSecured(t)
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	topic, file := fmt.Sprintf("rotated-%x", time.Now().UnixNano()), filepath.Join(t.TempDir(), "password")
	s.grantAll(ctx, "rosa")
	s.setPassword(ctx, "rosa", "rosa-first", file)
	login := " --tls-ca $C/ca.pem --sasl scram-sha-512 --user rosa --password-file " + file + " --topic " + topic
	first := "produce --count 1 --rate max --partitions 2" + login
	for code := -1; code != 0; _, _, code = s.run("", first, "SASLSSL") { // the broker learns a moment later of the user
		if ctx.Err() != nil {
			t.Fatal("rosa is not let in")
		}
	}

	const count = 3000
	var work sync.WaitGroup
	run := func(line, listener, want string) {
		work.Go(func() {
			stdout, stderr, code := s.run("", line, listener)
			if code != 0 || !strings.Contains(stderr, want) {
				s.Errorf("%s: exit code %d\n%.1000s\n%s", line, code, stdout, stderr)
			}
			for _, password := range []string{"rosa-first", "rosa-second"} {
				if strings.Contains(stdout+stderr, password) {
					s.Errorf("%s shows a password", line)
				}
			}
		})
	}
	all := fmt.Sprintf(" --count %d", count+1)
	run("consume --raw"+all+login, "SASLSSL", "3,001 bizums")
	run("consume --raw"+all+" --tls-ca $C/ca.pem --tls-cert $C/client.pem --tls-key $C/client.key --topic "+topic,
		"CLIENTCERT", "3,001 bizums")
	run("balance --output none --group caja"+all+login, "SASLSSL", "3,001 bizums")
	run(fmt.Sprintf("produce --rate 300 --accounts 20 --count %d", count)+login, "SASLSSL", "3,000 bizums sent")
	for sent := int64(0); sent < count/4; time.Sleep(20 * time.Millisecond) { // between two looks
		ends, err := s.admin.ListEndOffsets(ctx, topic)
		if err != nil {
			t.Fatal(err)
		}
		sent = ends[topic][0].Offset + ends[topic][1].Offset
	}
	authority, err := os.ReadFile(filepath.Join(s.certs, "ca.pem"))
	if err != nil {
		t.Fatal(err)
	}
	s.setPassword(ctx, "rosa", "rosa-second", file)
	for _, step := range []string{"stop", "start"} {
		if out, err := exec.CommandContext(ctx, realControl, step).CombinedOutput(); err != nil {
			t.Fatalf("%s: %v\n%s", step, err, out)
		}
	}
	if now, err := os.ReadFile(filepath.Join(s.certs, "ca.pem")); err != nil || string(now) == string(authority) {
		t.Fatalf("the certificates are the old ones: %v", err)
	}
	work.Wait()
	_, stderr, code := s.run("", "audit --group caja"+login, "SASLSSL")
	if code != 0 {
		t.Errorf("audit: exit code %d\n%s", code, stderr)
	}
	if _, _, code := s.run("rosa-first", "ping --tls-ca $C/ca.pem --sasl scram-sha-512 --user rosa", "SASLSSL"); code != 1 {
		t.Errorf("with the old password: exit code %d", code)
	}
}

// grantAll lets a user do all.
func (s *secured) grantAll(ctx context.Context, user string) {
	s.Helper()
	results, err := s.admin.CreateACLs(ctx, kadm.NewACLs().Allow("User:"+user).ResourcePatternType(kadm.ACLPatternLiteral).
		Topics("*").Groups("*").TransactionalIDs("*").Clusters().Operations(kmsg.ACLOperationAll))
	for _, r := range results {
		err = errors.Join(err, r.Err)
	}
	if err != nil {
		s.Fatal(err)
	}
}

// setPassword changes a password, at the broker and in a file.
func (s *secured) setPassword(ctx context.Context, user, password, file string) {
	s.Helper()
	results, err := s.admin.AlterUserSCRAMs(ctx, nil, []kadm.UpsertSCRAM{{User: user, Mechanism: kadm.ScramSha512,
		Iterations: 4096, Password: password}})
	if err := errors.Join(err, results.Error(), os.WriteFile(file, []byte(password+"\n"), 0o600)); err != nil {
		s.Fatal(err)
	}
}
