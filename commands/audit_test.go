package commands_test

import (
	"fmt"
	"strings"
	"testing"
)

// An audit says what is not booked yet, also beside a ledger that has nothing; with --complete that is a failure.
func TestAuditUnbooked(t *testing.T) {
	t.Parallel()
	l := newLedgerTest(t, 2)
	for _, kind := range []string{".ledger", ".rejected"} {
		l.create(l.topic+"."+l.group+kind, 2, nil)
	}
	l.produce("--rate", "max", "-n", "1000", "--accounts", "50")
	wantFailure := func(messages string) {
		t.Helper()
		code, _, notices := l.run("audit", "-g", l.group, "--complete")
		want := fmt.Sprintf("the ledger of group %q is not complete: %s of topic %q not booked yet", l.group, messages, l.topic)
		if code != 1 || !strings.Contains(notices, want) {
			t.Errorf("code %d, %s, want %s", code, notices, want)
		}
	}
	l.wantAudit(0, `^0 payments, 0 accounts, 0 missing, 0 double, 0 wrong, 1,000 not booked yet\n$`)
	wantFailure("1,000 messages")

	l.delete(l.ledger(), l.rejected())
	if code, _, notices := l.balance(); code != 0 {
		t.Fatalf("code %d, %s", code, notices)
	}
	l.wantAudit(0, `^1,000 payments, 50 accounts, 0 missing, 0 double, 0 wrong\n$`)
	if code, _, notices := l.run("audit", "-g", l.group, "--complete"); code != 0 {
		t.Errorf("code %d, %s", code, notices)
	}
	l.send(maria) // has no key, and is to be rejected
	l.wantAudit(0, `^1,000 payments, 50 accounts, 0 missing, 0 double, 0 wrong, 1 not booked yet\n$`)
	wantFailure("1 message")
}
