package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

var codecs = map[string]kgo.CompressionCodec{"none": kgo.NoCompression(), "gzip": kgo.GzipCompression(),
	"snappy": kgo.SnappyCompression(), "lz4": kgo.Lz4Compression(), "zstd": kgo.ZstdCompression()}

// franzProduce is idempotent with acks=all, as franz-go is by default. Records are used again once acknowledged. Of
// several accounts, records go to their key's partition, as they do by default.
func franzProduce(topic string, n int, file, codec string, accounts int) error {
	values, err := lines(file)
	if err != nil {
		return err
	}
	partitioner := kgo.ManualPartitioner() // all go to partition 0, so nothing is hashed
	if accounts > 1 {
		partitioner = kgo.StickyKeyPartitioner(nil)
	}
	client, err := connect(
		kgo.DefaultProduceTopic(topic),
		kgo.RecordPartitioner(partitioner),
		kgo.ProducerBatchCompression(codecs[codec]),
		kgo.ProducerBatchMaxBytes(1_000_000),
		kgo.ProducerLinger(5*time.Millisecond),
		kgo.MaxBufferedRecords(1_000_000),
		kgo.DisableClientMetrics(),
	)
	if err != nil {
		return err
	}
	defer client.Close()
	ctx := context.Background()
	records := sync.Pool{New: func() any { return new(kgo.Record) }}
	var failed error // one promise is called at a time, and all of them before Flush returns
	promise := func(r *kgo.Record, err error) {
		if err != nil {
			failed = err
		}
		records.Put(r)
	}
	chance := rand.New(rand.NewPCG(1, 0))
	for i := range n {
		r := records.Get().(*kgo.Record)
		*r = kgo.Record{Key: r.Key[:0], Value: values[i%len(values)]}
		if r.Key = append(r.Key, key...); accounts > 1 {
			r.Key = strconv.AppendInt(append(r.Key, '-'), chance.Int64N(int64(accounts))+1, 10)
		}
		client.Produce(ctx, r, promise)
	}
	if err := client.Flush(ctx); err != nil {
		return err
	}
	return failed
}

// franzConsume looks at every record, though only to count. With pooled, the client gets each one back.
func franzConsume(topic string, n int, pooled bool) error {
	options := []kgo.Opt{
		kgo.ConsumeTopics(topic),            // from the start, all partitions
		kgo.FetchMaxPartitionBytes(4 << 20), // the fastest of 1, 2, 4 and 10 MiB
		kgo.DisableClientMetrics(),
	}
	if pooled {
		options = append(options, kgo.WithPools(&recordPool{}))
	}
	client, err := connect(options...)
	if err != nil {
		return err
	}
	defer client.Close()
	seen, size := 0, 0
	for seen < n {
		fetches := client.PollFetches(context.Background())
		if err := fetches.Err(); err != nil {
			return err
		}
		fetches.EachRecord(func(r *kgo.Record) {
			seen++
			size += len(r.Value)
			if pooled {
				r.Recycle()
			}
		})
	}
	return counted(seen, size, n)
}

// franzSum adds up a topic on its own: good messages of two decimals, as bizumctl makes them.
func franzSum(topic string, n, euros int) error {
	client, err := connect(kgo.ConsumeTopics(topic), kgo.FetchMaxPartitionBytes(4<<20),
		kgo.DisableClientMetrics())
	if err != nil {
		return err
	}
	defer client.Close()
	accounts, cents := map[string]bool{}, int64(0)
	var failed error
	for seen := 0; seen < n && failed == nil; {
		fetches := client.PollFetches(context.Background())
		if err := fetches.Err(); err != nil {
			return err
		}
		fetches.EachRecord(func(r *kgo.Record) {
			seen++
			if !accounts[string(r.Key)] {
				accounts[string(r.Key)] = true
			}
			fields := bytes.Split(r.Value, []byte(";"))
			amount, err := strconv.ParseInt(string(bytes.Replace(fields[1], []byte("."), nil, 1)), 10, 64)
			if string(fields[len(fields)-1]) == "ENVIO" {
				amount = -amount
			}
			failed = errors.Join(failed, err)
			cents += amount
		})
	}
	cents += int64(len(accounts)) * int64(euros) * 100
	fmt.Printf("%d messages, %d accounts with %d.%02d € in all\n", n, len(accounts), cents/100, max(cents%100, -cents%100))
	return failed
}

type recordPool struct{ pool sync.Pool }

func (p *recordPool) GetRecords(n int) []kgo.Record {
	if s, _ := p.pool.Get().(*[]kgo.Record); s != nil && cap(*s) >= n {
		return (*s)[:0]
	}
	return make([]kgo.Record, 0, n)
}

func (p *recordPool) PutRecords(s []kgo.Record) { p.pool.Put(&s) }
