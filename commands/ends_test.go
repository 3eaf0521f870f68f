package commands_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"bizumctl/commands"
)

// fakeTopic is a broker that can be made to fail, with a topic bizums.
func fakeTopic(t *testing.T, settings map[string]*string) *kfake.Cluster {
	fake, err := kfake.NewCluster(kfake.NumBrokers(1))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(fake.Close)
	client, err := kgo.NewClient(kgo.SeedBrokers(fake.ListenAddrs()...))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	if _, err := kadm.NewClient(client).CreateTopic(context.Background(), 1, 1, settings, "bizums"); err != nil {
		t.Fatal(err)
	}
	return fake
}

// runOn runs bizumctl on such a broker, and returns its exit code and its notices.
func runOn(ctx context.Context, fake *kfake.Cluster, stdin io.Reader, stdout io.Writer,
	args ...string) (code int, notices string) {
	var stderr bytes.Buffer
	code = commands.Run(ctx, commands.Env{Stdin: stdin, Stdout: stdout, Stderr: &stderr, Now: time.Now,
		LookupEnv: func(string) (string, bool) { return "", false }}, append([]string{"bizumctl", args[0], "-b", fake.ListenAddrs()[0]}, args[1:]...))
	return code, stderr.String()
}

// Ctrl-C while a broker is not ready is no failure, whatever the words for a signal are.
func TestInterruptedWhileWaiting(t *testing.T) {
	fake := fakeTopic(t, nil)
	ctx, cancel := context.WithCancelCause(context.Background())
	defer cancel(nil)
	asked := 0
	fake.ControlKey(int16(kmsg.ListOffsets), func(request kmsg.Request) (kmsg.Response, error, bool) {
		fake.KeepControl()
		if asked++; asked == 3 {
			time.AfterFunc(20*time.Millisecond, func() { // between two requests
				cancel(errors.New("interrupt signal received")) // as signal.NotifyContext of Go 1.26 says
			})
		}
		response := request.ResponseKind().(*kmsg.ListOffsetsResponse)
		response.Topics = []kmsg.ListOffsetsResponseTopic{{Topic: "bizums",
			Partitions: []kmsg.ListOffsetsResponseTopicPartition{{ErrorCode: kerr.OffsetNotAvailable.Code, Timestamp: -1, Offset: -1}}}}
		return response, nil, true
	})
	if code, notices := runOn(ctx, fake, nil, io.Discard, "consume"); code != 0 || asked < 3 {
		t.Errorf("exit %d after %d requests: %s", code, asked, notices)
	}
}

// A message that the broker refuses is reported at once, though more input may come.
func TestInputRefused(t *testing.T) {
	small := "200"
	fake := fakeTopic(t, map[string]*string{"max.message.bytes": &small})
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	read, write := io.Pipe() // never closed
	go func() { _, _ = io.WriteString(write, "Maria;20.35;"+strings.Repeat("x", 3000)+";ENVIO\n") }()
	code, notices := runOn(ctx, fake, read, io.Discard, "produce", "--input", "-")
	if code != 1 || ctx.Err() != nil {
		t.Errorf("exit %d, %v: %s", code, ctx.Err(), notices)
	}
}
