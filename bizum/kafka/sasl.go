package kafka

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/IBM/sarama"
	"github.com/xdg-go/scram"
	"golang.org/x/sync/singleflight"
)

// Mechanisms of SASL, by Kafka's names.
const (
	Plain       = sarama.SASLTypePlaintext
	ScramSHA256 = sarama.SASLTypeSCRAMSHA256
	ScramSHA512 = sarama.SASLTypeSCRAMSHA512
	OAuthBearer = sarama.SASLTypeOAuth
)

// Secret is a password or a token. Printed, it is three asterisks.
type Secret string

func (Secret) String() string { return "***" }

// GoString is String.
func (s Secret) GoString() string { return s.String() }

// SASL is how we authenticate.
type SASL struct {
	Mechanism string
	User      string
	Password  Secret
	// Renew returns the password that is right now, for each login by SCRAM; nil: it stays. sarama takes that of PLAIN
	// only once.
	Renew func() (Secret, error)
	// Token returns a token, for OAuthBearer only. It is called for each authentication: a token expires, and a
	// connection lives on (KIP-368).
	Token func(context.Context) (Token, error)
}

// Token is what OAuthBearer authenticates with.
type Token struct {
	Value      Secret
	Extensions map[string]string // KIP-342
}

// tokenTimeout is how long it may take to get a token: some tools ask a server, which asks another.
const tokenTimeout = 20 * time.Second

// configure makes sarama authenticate. A token that takes long is reported.
func (s *SASL) configure(c *sarama.Config, notice func(string)) error {
	n := &c.Net.SASL
	n.Enable, n.Handshake, n.Version = true, true, sarama.SASLHandshakeV1
	n.Mechanism, n.User, n.Password = sarama.SASLMechanism(s.Mechanism), s.User, string(s.Password)
	var hash scram.HashGeneratorFcn
	switch s.Mechanism {
	case ScramSHA256:
		hash = scram.SHA256
	case ScramSHA512:
		hash = scram.SHA512
	case OAuthBearer:
		n.TokenProvider = &tokens{get: s.Token, notice: notice}
		return nil
	default:
		return nil
	}
	logins := &scramLogins{sasl: s, hash: hash}
	if err := logins.use(s.Password); err != nil {
		return err
	}
	n.SCRAMClientGeneratorFunc = func() sarama.SCRAMClient { return &scramClient{logins: logins} }
	return nil
}

// scramLogins is what authentications share: a client, which remembers the derived keys, for as long as the password
// stays the same.
type scramLogins struct {
	sasl *SASL
	hash scram.HashGeneratorFcn

	mu       sync.Mutex
	client   *scram.Client
	password Secret
}

// use makes a client with a password.
func (l *scramLogins) use(password Secret) error {
	client, err := l.hash.NewClient(l.sasl.User, string(password), "")
	if err != nil { // not wrapped: it names the character
		return errors.New("the user's name or the password has a character that SCRAM does not allow")
	}
	l.client, l.password = client, password
	return nil
}

// begin begins an authentication.
func (l *scramLogins) begin() (*scram.ClientConversation, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.sasl.Renew != nil {
		password, err := l.sasl.Renew()
		if err == nil && password != l.password {
			err = l.use(password)
		}
		if err != nil {
			return nil, access(LoginRefused, "", "no password: %v", err)
		}
	}
	return l.client.NewConversation(), nil
}

// scramClient is one authentication.
type scramClient struct {
	logins       *scramLogins
	conversation *scram.ClientConversation
}

func (s *scramClient) Begin(string, string, string) (err error) {
	s.conversation, err = s.logins.begin()
	return err
}

func (s *scramClient) Step(challenge string) (string, error) {
	response, err := s.conversation.Step(challenge)
	if err != nil {
		return "", access(LoginRefused, "", "the broker's part of SCRAM is wrong: %v", err)
	}
	return response, nil
}

func (s *scramClient) Done() bool { return s.conversation.Done() }

// tokens is a sarama.AccessTokenProvider. Connections that are opened at the same time share a token.
type tokens struct {
	get     func(context.Context) (Token, error)
	notice  func(string) // may be nil
	asking  singleflight.Group
	mu      sync.Mutex
	granted bool // a token, before
}

// Token implements sarama.AccessTokenProvider.
func (t *tokens) Token() (*sarama.AccessToken, error) {
	got, err, _ := t.asking.Do("", func() (any, error) {
		ctx, cancel := context.WithTimeout(context.Background(), tokenTimeout)
		defer cancel()
		if t.notice != nil {
			defer time.AfterFunc(patience, func() { t.notice("waiting for a token") }).Stop()
		}
		return t.get(ctx)
	})
	t.mu.Lock()
	defer t.mu.Unlock()
	if err != nil {
		e := access(NoToken, "", "no token: %v", err)
		e.passing = t.granted
		return nil, e
	}
	t.granted = true
	token := got.(Token)
	return &sarama.AccessToken{Token: string(token.Value), Extensions: token.Extensions}, nil
}
