package main

import (
	"fmt"
	"time"

	"github.com/IBM/sarama"
	"github.com/rcrowley/go-metrics"
)

// saramaProduce allocates every message: to use them again takes Return.Successes, which cost more than it saved.
func saramaProduce(topic string, n int, file string) error {
	values, err := lines(file)
	if err != nil {
		return err
	}
	metrics.UseNilMetrics = true
	config := sarama.NewConfig()
	config.ChannelBufferSize = 8192
	config.Net.MaxOpenRequests = 1 // an idempotent producer of sarama accepts no other
	config.Producer.Idempotent = true
	config.Producer.RequiredAcks = sarama.WaitForAll
	config.Producer.Flush.Bytes = 512 << 10
	config.Producer.Flush.Frequency = 10 * time.Millisecond
	config.Producer.Partitioner = sarama.NewManualPartitioner
	producer, err := sarama.NewAsyncProducer([]string{broker}, config)
	if err != nil {
		return err
	}
	failed := make(chan error, 1)
	go func() {
		var last error
		for err := range producer.Errors() {
			last = err
		}
		failed <- last
	}()
	for i := range n {
		producer.Input() <- &sarama.ProducerMessage{
			Topic: topic, Key: sarama.ByteEncoder(key), Value: sarama.ByteEncoder(values[i%len(values)]),
		}
	}
	producer.AsyncClose()
	return <-failed
}

// saramaConsume keeps the default channels: larger ones were slower.
func saramaConsume(topic string, n int) error {
	metrics.UseNilMetrics = true
	config := sarama.NewConfig()
	config.Consumer.Fetch.Default = 4 << 20
	consumer, err := sarama.NewConsumer([]string{broker}, config)
	if err != nil {
		return err
	}
	partition, err := consumer.ConsumePartition(topic, 0, sarama.OffsetOldest)
	if err != nil {
		return err
	}
	seen, size := 0, 0
	for seen < n {
		m, ok := <-partition.Messages()
		if !ok {
			return fmt.Errorf("the partition ended after %d messages", seen)
		}
		seen++
		size += len(m.Value)
	}
	return counted(seen, size, n)
}
