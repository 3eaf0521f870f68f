// Package devbroker runs a Kafka-compatible broker inside this process, for a first run, for tests and for work
// offline. It knows kfake.
package devbroker

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"time"

	"github.com/gofrs/flock"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/kversion"
)

// Config says where a broker listens, and what it keeps.
type Config struct {
	Listen    string // HOST:PORT such as localhost:9092; port 0 takes a free one
	Advertise string // HOST or HOST:PORT that clients are told to connect to; "": what can be reached of Listen
	Dir       string // the folder of its data, kept over restarts; "": in memory
	Keep      int64  // bytes of each partition, the last ones; 0: all. What is compacted is kept
}

// ClusterID is how all embedded brokers name their cluster.
const ClusterID = "kfake"

// Broker is a running broker.
type Broker struct {
	cluster *kfake.Cluster
	open    bool         // to other machines
	lock    *flock.Flock // of its folder, if it has one
	trimmed func()       // ends the retention, if there is one
}

// Start starts a broker that keeps all: in a folder over restarts, or in memory.
func Start(listen, dir string) (*Broker, error) { return Config{Listen: listen, Dir: dir}.Start() }

// Start starts a broker.
func (c Config) Start() (*Broker, error) {
	inner, err := net.Listen("tcp", c.Listen)
	if err != nil {
		return nil, err
	}
	listener := advertising{inner, address(advertised(c.Advertise, inner.Addr()))}
	versions := kversion.Stable()
	// Java's client, and so Spark, fails on the response of kfake to DescribeTopicPartitions; without it, it sends another
	// request.
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
	if c.Keep > 0 {
		const segments = 8 // memory is free again when all of a segment is beyond what is kept
		options = append(options, kfake.BrokerConfigs(map[string]string{
			"log.segment.bytes": strconv.FormatInt(max(c.Keep/segments, 1), 10)}))
	}
	b := &Broker{open: !isLoopback(inner.Addr()), trimmed: func() {}}
	if c.Dir != "" && runtime.GOOS == "windows" { // kfake renames files that are still open
		listener.Close()
		return nil, ErrNoFolders
	}
	if c.Dir != "" {
		options = append(options, kfake.DataDir(c.Dir))
		if b.lock, err = take(c.Dir); err != nil {
			listener.Close()
			return nil, err
		}
	}
	if b.cluster, err = kfake.NewCluster(options...); err != nil {
		listener.Close()
		if b.lock != nil {
			_ = b.lock.Close()
		}
		return nil, fmt.Errorf("embedded broker: %w", err)
	}
	b.cluster.ControlKey(int16(kmsg.CreateTopics), func(request kmsg.Request) (kmsg.Response, error, bool) {
		b.cluster.KeepControl()
		response := createTopics(request.(*kmsg.CreateTopicsRequest), c.Keep)
		return response, nil, response != nil
	})
	if c.Keep > 0 {
		b.trim()
	}
	return b, nil
}

// trim removes, every second, what is beyond Keep.
func (b *Broker) trim() {
	stop, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		tick := time.NewTicker(time.Second)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				b.cluster.ApplyRetention()
			case <-stop:
				return
			}
		}
	}()
	b.trimmed = func() {
		close(stop)
		<-ended
	}
}

// take makes the folder ours: two brokers would mix up their logs in it, and what is somebody else's stays as it is.
func take(dir string) (*flock.Flock, error) {
	const ours = ".lock"
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	isOurs := func(e fs.DirEntry) bool { return e.Name() == ours && e.Type().IsRegular() }
	if len(entries) > 0 && !slices.ContainsFunc(entries, isOurs) {
		return nil, &ForeignFolderError{dir}
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	lock := flock.New(filepath.Join(dir, ours))
	taken, err := lock.TryLock()
	if err == nil && !taken {
		err = fmt.Errorf("folder %s: another broker is using it", dir)
	}
	return lock, err
}

// ErrNoFolders means that this system does not let a broker keep its data in a folder.
var ErrNoFolders = errors.New("on Windows the embedded broker keeps its data only in memory")

// ForeignFolderError means that a folder has files that are no broker's of ours.
type ForeignFolderError struct{ Dir string }

func (e *ForeignFolderError) Error() string {
	return fmt.Sprintf("folder %s is not empty, and not that of an embedded broker", e.Dir)
}

// Address is where clients find the broker.
func (b *Broker) Address() string { return b.cluster.ListenAddrs()[0] }

// Open reports whether other machines may connect.
func (b *Broker) Open() bool { return b.open }

// Close stops the broker. What was acknowledged is in the folder by then, if it has one.
func (b *Broker) Close() {
	b.trimmed()
	b.cluster.Close()
	if b.lock != nil {
		_ = b.lock.Close() // which unlocks; a process that ends does, too
	}
}
