package kafka

import (
	"errors"
	"fmt"
	"strings"

	"github.com/IBM/sarama"
)

// Fault is why a broker does not let us in.
type Fault int

// The faults. Each but NoToken was seen from the broker: guesses are made certain by asking it once in the other way.
const (
	SpeaksTLS          Fault = iota + 1 // we do not
	SpeaksPlainText                     // we speak TLS
	TLSFailed                           // of another reason
	UnknownAuthority                    // has signed the broker's certificate
	CertificateExpired                  // the broker's, or not valid yet
	OtherHost                           // is named in the broker's certificate
	WantsCertificate                    // of us
	CertificateRefused                  // ours
	WantsLogin
	WantsNoLogin
	OtherMechanism
	LoginRefused
	NoToken // the caller's function returned none
)

// AccessError means that a broker does not let us in. A retry does not help. It is a net.Error because sarama keeps a
// connection after most other errors.
type AccessError struct {
	Fault   Fault
	Address string   // of the broker
	Offered []string // mechanisms of a broker that takes others or wants one; names in a certificate of another host
	User    string   // who was refused, if anybody
	reason  string
	passing bool // a retry may help all the same: the fault is guessed, and the broker has let us in before
}

func (e *AccessError) Error() string { return e.reason }

// Timeout is false: the connection cannot be used any more.
func (*AccessError) Timeout() bool { return false }

// Temporary is for net.Error.
func (*AccessError) Temporary() bool { return false }

// access returns an AccessError of the broker at an address.
func access(fault Fault, address, format string, args ...any) *AccessError {
	return &AccessError{Fault: fault, Address: address, reason: fmt.Sprintf(format, args...)}
}

// DeniedError means that an ACL is missing: we were let in, but may not do what we asked for.
type DeniedError struct {
	Operation string // by Kafka's name, such as Read
	Resource  string // topic, group, cluster or transactional-id
	Name      string // of the resource; empty for the cluster
	Principal string // who we are to Kafka, as far as we know
	code      sarama.KError
}

func (e *DeniedError) Error() string {
	verb := map[string]string{"DescribeConfigs": "see the settings of", "IdempotentWrite": "write idempotently to"}
	doing, ok := verb[e.Operation]
	if !ok {
		doing = strings.ToLower(e.Operation)
	}
	what := fmt.Sprintf("%s %q", strings.ReplaceAll(e.Resource, "-", " "), e.Name)
	if e.Name == "" {
		what = "the " + e.Resource
	}
	return fmt.Sprintf("%s has no right to %s %s", e.Principal, doing, what)
}

// Unwrap returns the code of the broker.
func (e *DeniedError) Unwrap() error { return e.code }

// right is what a request needs to be allowed.
type right struct{ operation, resource, name string }

// Resources of ACLs, by the names of kafka-acls.
const (
	topicResource         = "topic"
	groupResource         = "group"
	clusterResource       = "cluster"
	transactionalResource = "transactional-id"
)

// The rights that requests need.
func describes(topic string) right    { return right{"Describe", topicResource, topic} }
func reads(topic string) right        { return right{"Read", topicResource, topic} }
func writes(topic string) right       { return right{"Write", topicResource, topic} }
func member(group string) right       { return right{"Read", groupResource, group} }
func transacts(producer string) right { return right{"Write", transactionalResource, producer} }

// idempotent is the right to be an idempotent producer, which the right to write to any topic includes since Kafka 2.8
// (KIP-679).
var idempotent = right{"IdempotentWrite", clusterResource, ""}

// denials are the codes with which Kafka refuses what an ACL does not allow.
var denials = map[sarama.KError]string{
	sarama.ErrTopicAuthorizationFailed:           topicResource,
	sarama.ErrGroupAuthorizationFailed:           groupResource,
	sarama.ErrClusterAuthorizationFailed:         clusterResource,
	sarama.ErrTransactionalIDAuthorizationFailed: transactionalResource,
}

// needs returns a DeniedError if err is that a right is missing, the first of rights that fits; else err.
func (c *Cluster) needs(err error, rights ...right) error {
	var code sarama.KError
	if errors.As(err, new(*DeniedError)) || !errors.As(err, &code) {
		return err
	}
	for _, r := range rights {
		if denials[code] == r.resource {
			return &DeniedError{r.operation, r.resource, r.name, c.config.principal(), code}
		}
	}
	return err
}

// principal returns who we are to Kafka, as far as we know: it may map names.
func (c Config) principal() string {
	switch {
	case c.SASL != nil && c.SASL.User != "":
		return "User:" + c.SASL.User
	case c.SASL != nil:
		return "the token's user"
	case c.Subject != "":
		return "User:" + c.Subject
	}
	return "User:ANONYMOUS"
}
