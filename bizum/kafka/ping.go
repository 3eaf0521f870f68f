package kafka

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/IBM/sarama"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/kversion"
)

// Finding is what Ping has found in a step.
type Finding struct {
	Step string
	Text string
	Took time.Duration // 0: it is part of another step
}

// Ping goes the way that every command goes, once and without retries: to a broker, into the cluster, to all brokers,
// to the topic. It reports each step that has succeeded. Its error is the first thing that is wrong.
func (c *Cluster) Ping(ctx context.Context, topic string, report func(Finding)) error {
	p := &ping{cluster: c, report: report}
	metadata, err := await(ctx, func() (*kmsg.MetadataResponse, error) { return p.enter(ctx, topic) })
	if err != nil {
		return err
	}
	for _, b := range metadata.Brokers {
		address := fmt.Sprintf("%s:%d", b.Host, b.Port)
		if address == p.entered {
			continue
		}
		conn, err := await(ctx, func() (*fetchConn, error) { return c.newFetchConn(address, new(silence), asIs) })
		if err != nil {
			return reason(err)
		}
		p.report(Finding{fmt.Sprintf("broker %d", b.NodeID), address, total(conn.setup.took)})
		_ = conn.Close()
	}
	return p.topic(topic, metadata)
}

// asIs prepares nothing, see newFetchConn.
func asIs(*sarama.Broker) error { return nil }

func total(t took) time.Duration { return t.connect + t.tls + t.versions + t.login }

type ping struct {
	cluster *Cluster
	report  func(Finding)
	entered string // address of the broker that was asked
}

// enter connects to the first of the configured brokers that lets us in, and asks it about the cluster and the topic.
func (p *ping) enter(ctx context.Context, topic string) (*kmsg.MetadataResponse, error) {
	var first error
	for _, address := range p.cluster.config.Brokers {
		conn, err := p.cluster.newFetchConn(address, new(silence), asIs)
		if err == nil {
			defer conn.Close()
			p.entered = address
			return p.ask(conn, topic)
		}
		if err = reason(err); !errors.As(err, new(*AccessError)) {
			err = fmt.Errorf("%w at %s: %w", ErrUnreachable, address, err)
		}
		if first == nil {
			first = err
		}
		if ctx.Err() != nil {
			break
		}
	}
	return nil, first
}

// ask reports how a connection was set up, then what the broker says.
func (p *ping) ask(conn *fetchConn, topic string) (*kmsg.MetadataResponse, error) {
	setup := conn.setup
	p.report(Finding{"connection", "to " + p.entered, setup.took.connect})
	if setup.secured != nil {
		p.report(Finding{"TLS", tlsText(setup.secured.ConnectionState()), setup.took.tls})
	}
	versions := kmsg.NewPtrApiVersionsRequest()
	_ = conn.SetDeadline(time.Now().Add(conn.timeout))
	encoded, err := ask(conn, versions, versionsBytesMax)
	offered := kmsg.ApiVersionsResponse{Version: versions.Version}
	if err == nil {
		err = offered.ReadFrom(encoded)
	}
	if err != nil {
		return nil, p.failed("versions", conn, err)
	}
	p.report(Finding{"versions", versionText(&offered), setup.took.versions})
	if sasl := p.cluster.config.SASL; sasl != nil {
		p.report(Finding{"login", fmt.Sprintf("by %s%s", sasl.Mechanism, p.cluster.dialer.asUser()), setup.took.login})
	}
	if sasl := p.cluster.config.SASL; sasl == nil || sasl.User != "" {
		p.report(Finding{"who we are", p.cluster.config.principal(), 0})
	}
	request := kmsg.NewPtrMetadataRequest()
	request.Version = metadataVersion
	request.IncludeTopicAuthorizedOperations = true
	asked := kmsg.NewMetadataRequestTopic()
	asked.Topic = &topic
	request.Topics = []kmsg.MetadataRequestTopic{asked}
	began := time.Now()
	encoded, err = ask(conn, request, lookupBytesMax)
	metadata := &kmsg.MetadataResponse{Version: request.Version}
	if err == nil {
		err = metadata.ReadFrom(encoded)
	}
	if err == nil && len(metadata.Topics) != 1 {
		err = sarama.ErrIncompleteResponse
	}
	if err != nil {
		return nil, p.failed("metadata", conn, err)
	}
	p.report(Finding{"cluster", clusterText(metadata), time.Since(began)})
	return metadata, nil
}

// failed returns why a broker has not responded.
func (p *ping) failed(what string, conn *fetchConn, err error) error {
	err = reason(conn.setup.explain(err))
	if errors.As(err, new(*AccessError)) {
		return err
	}
	return fmt.Errorf("%s of %s: %w", what, p.entered, err)
}

// metadataVersion has the rights of a topic (KIP-430), and is not flexible.
const metadataVersion = 8

func tlsText(s tls.ConnectionState) string {
	text := fmt.Sprintf("%s, %s", tls.VersionName(s.Version), tls.CipherSuiteName(s.CipherSuite))
	if len(s.PeerCertificates) > 0 {
		broker := s.PeerCertificates[0]
		text += fmt.Sprintf("; the certificate of %q expires on %s", broker.Subject.String(), day(broker.NotAfter))
	}
	return text
}

// versionText names the release of Kafka whose requests a broker takes, if they are those of one.
func versionText(offered *kmsg.ApiVersionsResponse) string {
	guess := kversion.FromApiVersionsResponse(offered).VersionGuess()
	if release, ok := strings.CutPrefix(guess, "v"); ok {
		return "it speaks as Kafka " + release + " does"
	}
	return "what it speaks is that of no release of Kafka's"
}

func clusterText(m *kmsg.MetadataResponse) string {
	id := "without an id"
	if m.ClusterID != nil {
		id = *m.ClusterID
	}
	text := fmt.Sprintf("%s; brokers:", id)
	for i, b := range m.Brokers {
		if i > 0 {
			text += ","
		}
		text += fmt.Sprintf(" %d at %s:%d", b.NodeID, b.Host, b.Port)
		if b.NodeID == m.ControllerID {
			text += " (controller)"
		}
	}
	return text
}

// topic reports the topic and what we may do with it.
func (p *ping) topic(name string, metadata *kmsg.MetadataResponse) error {
	found := metadata.Topics[0]
	if err := orNil(sarama.KError(found.ErrorCode)); err != nil {
		return topicError(name, p.cluster.needs(err, describes(name)))
	}
	const unknown = -1 << 31 // KIP-430
	may := func(operation kmsg.ACLOperation) bool {
		return found.AuthorizedOperations == unknown || found.AuthorizedOperations>>operation&1 == 1
	}
	var can, cannot []string
	for _, o := range []struct {
		operation kmsg.ACLOperation
		text      string
	}{{kmsg.ACLOperationRead, "read"}, {kmsg.ACLOperationWrite, "written"},
		{kmsg.ACLOperationDescribeConfigs, "asked for its settings"}} {
		if may(o.operation) {
			can = append(can, o.text)
		} else {
			cannot = append(cannot, o.text)
		}
	}
	text := fmt.Sprintf("%q, partitions: %d", name, len(found.Partitions))
	if len(can) > 0 {
		text += "; may be " + strings.Join(can, " and ")
	}
	if len(cannot) > 0 {
		text += "; may not be " + strings.Join(cannot, " nor ")
	}
	p.report(Finding{"topic", text, 0})
	leaderless := slices.ContainsFunc(found.Partitions, func(p kmsg.MetadataResponseTopicPartition) bool {
		return p.ErrorCode != 0
	})
	if leaderless {
		return fmt.Errorf("topic %q: %w", name, sarama.ErrLeaderNotAvailable)
	}
	if !may(kmsg.ACLOperationRead) && !may(kmsg.ACLOperationWrite) {
		return p.cluster.needs(sarama.ErrTopicAuthorizationFailed, reads(name))
	}
	return nil
}
