package kafka

import (
	"context"
	"fmt"
	"slices"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// Topics returns the names of the cluster's topics but for Kafka's own. It asks once, without retries.
func (c *Cluster) Topics(ctx context.Context) ([]string, error) {
	return await(ctx, func() (names []string, err error) {
		metadata, err := c.allMetadata()
		if err != nil {
			return nil, err
		}
		for _, t := range metadata.Topics {
			if t.Topic != nil && !t.IsInternal {
				names = append(names, *t.Topic)
			}
		}
		slices.Sort(names)
		return names, nil
	})
}

// Groups returns the names of the cluster's consumer groups. It asks each broker once, without retries.
func (c *Cluster) Groups(ctx context.Context) ([]string, error) {
	return await(ctx, func() (names []string, err error) {
		metadata, err := c.allMetadata()
		if err != nil {
			return nil, err
		}
		for _, b := range metadata.Brokers {
			request := kmsg.NewPtrListGroupsRequest()
			groups := kmsg.ListGroupsResponse{}
			if err := c.askBroker(fmt.Sprintf("%s:%d", b.Host, b.Port), request, groups.ReadFrom); err != nil {
				return nil, err
			}
			for _, g := range groups.Groups {
				names = append(names, g.Group)
			}
		}
		slices.Sort(names)
		return slices.Compact(names), nil
	})
}

// allMetadata returns the metadata of all topics from the first configured broker that responds.
func (c *Cluster) allMetadata() (*kmsg.MetadataResponse, error) {
	request := kmsg.NewPtrMetadataRequest()
	request.Version, request.Topics = metadataVersion, nil // all
	metadata := &kmsg.MetadataResponse{Version: metadataVersion}
	var err error
	for _, address := range c.config.Brokers {
		if err = c.askBroker(address, request, metadata.ReadFrom); err == nil {
			break
		}
	}
	return metadata, err
}

// askBroker sends a request, of a version that is not flexible, on a connection of its own, and decodes the response.
func (c *Cluster) askBroker(address string, request kmsg.Request, decode func([]byte) error) error {
	conn, err := c.newFetchConn(address, new(silence), asIs)
	if err != nil {
		return reason(err)
	}
	defer conn.Close()
	encoded, err := ask(conn, request, lookupBytesMax)
	if err != nil {
		return reason(conn.setup.explain(err))
	}
	return decode(encoded)
}
