// Package devbroker runs a Kafka-compatible broker inside this process, for a first run, for tests and for work
// offline. It knows kfake.
package devbroker

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"time"

	"github.com/gofrs/flock"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/kversion"
)

// ClusterID is how all embedded brokers name their cluster.
const ClusterID = "kfake"

// Broker is a running broker.
type Broker struct {
	cluster *kfake.Cluster
	lock    *flock.Flock // of its folder, if it has one
}

// Start listens on an address such as localhost:9092; port 0 takes a free one. With a folder it keeps its data there
// over restarts, without one in memory.
func Start(address, dir string) (*Broker, error) {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return nil, err
	}
	versions := kversion.Stable()
	// Java's client, and so Spark, fails on an answer of kfake to DescribeTopicPartitions; without it, it asks otherwise.
	versions.SetMaxKeyVersion(int16(kmsg.DescribeTopicPartitions), -1)
	options := []kfake.Opt{
		kfake.NumBrokers(1),
		kfake.ClusterID(ClusterID),
		kfake.MaxVersions(versions),
		kfake.DefaultNumPartitions(1),
		kfake.GroupMinSessionTimeout(100 * time.Millisecond), // tests do not wait long for a dead member
		// kfake binds to a port of 127.0.0.1 itself; ours is the address that was asked for
		kfake.ListenFn(func(string, string) (net.Listener, error) { return listener, nil }),
	}
	var lock *flock.Flock
	if dir != "" {
		options = append(options, kfake.DataDir(dir))
		if lock, err = take(dir); err != nil {
			listener.Close()
			return nil, err
		}
	}
	cluster, err := kfake.NewCluster(options...)
	if err != nil {
		listener.Close()
		return nil, fmt.Errorf("embedded broker: %w", err)
	}
	return &Broker{cluster, lock}, nil
}

// take makes the folder ours: two brokers would mix up their logs in it.
func take(dir string) (*flock.Flock, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	lock := flock.New(filepath.Join(dir, ".lock"))
	taken, err := lock.TryLock()
	if err == nil && !taken {
		err = fmt.Errorf("folder %s: another broker is using it", dir)
	}
	return lock, err
}

// Address is where clients find the broker.
func (b *Broker) Address() string { return b.cluster.ListenAddrs()[0] }

// Close stops the broker. What was acknowledged is in the folder by then, if it has one.
func (b *Broker) Close() {
	b.cluster.Close()
	if b.lock != nil {
		_ = b.lock.Close() // which unlocks; a process that ends does, too
	}
}
