package devbroker

import (
	"strconv"
	"strings"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"bizumctl/bizum/record"
)

// createTopics looks at a request before kfake, which takes any name, and removes what is old from compacted topics,
// too. It returns a response that refuses the request, or nil, and has then changed the settings of its topics.
func createTopics(request *kmsg.CreateTopicsRequest, keep int64) kmsg.Response {
	response := request.ResponseKind().(*kmsg.CreateTopicsResponse)
	refused := false
	for i := range request.Topics {
		topic := &request.Topics[i]
		settle(topic, keep)
		r := kmsg.NewCreateTopicsResponseTopic()
		r.Topic, r.ErrorCode = topic.Topic, kerr.InvalidRequest.Code // along with others that are refused
		if err := record.CheckTopic(topic.Topic); err != nil {
			text := err.Error()
			r.ErrorCode, r.ErrorMessage, refused = kerr.InvalidTopicException.Code, &text, true
		}
		response.Topics = append(response.Topics, r)
	}
	if !refused {
		return nil
	}
	return response
}

// settle sets what is not set of how much a topic keeps. Kafka keeps all of a topic that is only compacted.
func settle(topic *kmsg.CreateTopicsRequestTopic, keep int64) {
	set := make(map[string]string)
	for _, c := range topic.Configs {
		if c.Value != nil {
			set[c.Name] = *c.Value
		}
	}
	limits := map[string]string{"retention.bytes": strconv.FormatInt(keep, 10)}
	if strings.TrimSpace(set["cleanup.policy"]) == "compact" {
		limits = map[string]string{"retention.bytes": "-1", "retention.ms": "-1"}
	} else if keep == 0 {
		return
	}
	for name, value := range limits {
		if _, isSet := set[name]; !isSet {
			config := kmsg.NewCreateTopicsRequestTopicConfig()
			config.Name, config.Value = name, &value
			topic.Configs = append(topic.Configs, config)
		}
	}
}
