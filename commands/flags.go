package commands

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"bizumctl/bizum/kafka"
	"bizumctl/commands/console"
)

// shared is what every command that talks to a cluster takes.
type shared struct {
	brokers string
	topic   string
	color   when
	quiet   bool
	verbose bool
	session time.Duration // of a group, for those commands that join one
}

func (s *shared) flags() []cli.Flag {
	return append([]cli.Flag{
		&cli.StringFlag{Name: "brokers", Aliases: []string{"b", "bootstrap-server"}, Value: "localhost:9092",
			Destination: &s.brokers, Usage: "`HOST:PORT,...` of the cluster"},
		&cli.StringFlag{Name: "topic", Aliases: []string{"t"}, Value: "bizums", Destination: &s.topic,
			Usage: "the topic's `NAME`"},
	}, s.speech()...)
}

// speech is what every command takes.
func (s *shared) speech() []cli.Flag {
	s.color = "auto"
	return []cli.Flag{
		&cli.GenericFlag{Name: "color", Value: &s.color, Usage: "`WHEN` to colour: auto, always, never"},
		&cli.BoolFlag{Name: "quiet", Aliases: []string{"q"}, Destination: &s.quiet, Usage: "no remarks but errors"},
		&cli.BoolFlag{Name: "verbose", Aliases: []string{"v"}, Destination: &s.verbose,
			Usage: "also the log of the Kafka client"},
	}
}

// sessionFlag is for commands that join a group.
func (s *shared) sessionFlag() cli.Flag {
	return &cli.DurationFlag{Name: "session-timeout", Value: 6 * time.Second, Destination: &s.session,
		Usage: "`TIME` after which the group gives away the partitions of a member that is silent"}
}

// open prepares the cluster that the flags name.
func (s *shared) open(env Env, c *console.Console) (*kafka.Cluster, error) {
	var brokers []string
	for address := range strings.SplitSeq(s.brokers, ",") {
		address = strings.TrimSpace(address)
		if address == "" {
			continue
		}
		if !strings.Contains(address, ":") {
			address += ":9092"
		}
		brokers = append(brokers, address)
	}
	if len(brokers) == 0 {
		return nil, misuse("--brokers (-b) names no broker")
	}
	if s.topic == "" {
		return nil, misuse("--topic (-t) names no topic")
	}
	if s.session < 0 || s.session > 0 && s.session < sessionLeast {
		return nil, misuse("--session-timeout %v: want %v or more", s.session, sessionLeast)
	}
	config := kafka.Config{Brokers: brokers, ClientID: "bizumctl/" + env.Version, SessionTimeout: s.session,
		Notice: func(text string) { c.Noticef("%s", text) }}
	if s.verbose {
		config.Log = c.Log()
	}
	return kafka.Open(config)
}

// sessionLeast leaves room for some heartbeats.
const sessionLeast = 100 * time.Millisecond

// when is the value of --color.
type when console.Color

func (w *when) Set(s string) error {
	if !slices.Contains([]console.Color{console.Auto, console.Always, console.Never}, console.Color(s)) {
		return errors.New("want auto, always or never")
	}
	*w = when(s)
	return nil
}

func (w *when) String() string { return string(*w) }

// rate is the value of --rate: bizums a second, or as many as go.
type rate struct {
	perSecond float64
	max       bool
}

func (r *rate) Set(s string) error {
	if s == "max" {
		*r = rate{max: true}
		return nil
	}
	n, err := strconv.ParseFloat(s, 64)
	if err != nil || !(n >= 1e-6 && n <= 1e9) {
		return errors.New("want a number a second, from 0.000001 to 1000000000, or max")
	}
	*r = rate{perSecond: n}
	return nil
}

func (r *rate) String() string {
	switch {
	case r.max:
		return "max"
	case r.perSecond == 0:
		return ""
	}
	return strconv.FormatFloat(r.perSecond, 'f', -1, 64)
}

// byteSize is the value of --roll-bytes.
type byteSize int64

var sizeUnits = [...]struct {
	name string
	size int64
}{{"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}, {"GB", 1e9}, {"MB", 1e6}, {"kB", 1e3}, {"B", 1}, {"", 1}}

func (b *byteSize) Set(s string) error {
	for _, unit := range sizeUnits {
		number, ok := strings.CutSuffix(s, unit.name)
		if !ok {
			continue
		}
		n, err := strconv.ParseInt(strings.TrimSpace(number), 10, 64)
		if err != nil || n < 1 || n > 1<<40/unit.size {
			break
		}
		*b = byteSize(n * unit.size)
		return nil
	}
	return errors.New("want a number of bytes, such as 500000, 10MB or 128MiB, at most 1024GiB")
}

func (b *byteSize) String() string {
	for _, unit := range sizeUnits[:3] {
		if n := int64(*b); n >= unit.size && n%unit.size == 0 {
			return strconv.FormatInt(n/unit.size, 10) + unit.name
		}
	}
	return strconv.FormatInt(int64(*b), 10)
}

// place is the value of --from and --until: a place in each partition.
type place struct {
	text   string
	at     int64 // kafka.Start, kafka.End or an offset
	back   int64 // so many before the end
	byTime bool
	time   time.Time

	sinceNow bool // so long ago
	ago      time.Duration
}

var errPlace = errors.New("want beginning, end, an offset, -N from the end, @TIME or @-1h")

func (p *place) Set(s string) error {
	*p = place{text: s}
	if at, ok := strings.CutPrefix(s, "@"); ok {
		return p.setTime(at)
	}
	switch s {
	case "beginning":
		p.at = kafka.Start
		return nil
	case "end":
		p.at = kafka.End
		return nil
	}
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		return errPlace
	}
	if p.at = n; n < 0 || strings.HasPrefix(s, "-") {
		p.at, p.back = kafka.End, -n
	}
	return nil
}

func (p *place) setTime(s string) error {
	p.byTime = true
	if ago, ok := strings.CutPrefix(s, "-"); ok {
		var err error
		p.sinceNow = true
		if p.ago, err = time.ParseDuration(ago); err != nil || p.ago < 0 {
			return errPlace
		}
		return nil
	}
	if ms, err := strconv.ParseInt(s, 10, 64); err == nil && ms >= 0 {
		p.time = time.UnixMilli(ms)
		return nil
	}
	for _, layout := range []string{time.RFC3339, "2006-01-02T15:04:05", "2006-01-02 15:04:05", "2006-01-02T15:04",
		"2006-01-02 15:04", time.DateOnly} {
		var err error
		if p.time, err = time.ParseInLocation(layout, s, time.Local); err == nil {
			return nil
		}
	}
	return errPlace
}

func (p *place) String() string { return p.text }

// moment is the time that the place means, if it is one.
func (p *place) moment(now time.Time) time.Time {
	if p.sinceNow {
		return now.Add(-p.ago)
	}
	return p.time
}

// oneOf makes a flag's check of a word from a list.
func oneOf(flag, value string, words ...string) error {
	if slices.Contains(words, value) {
		return nil
	}
	last := len(words) - 1
	return misuse("--%s %q: want %s or %s", flag, value, strings.Join(words[:last], ", "), words[last])
}

// misuseError is a mistake in the command line: exit code 2.
type misuseError struct{ error }

func misuse(format string, args ...any) error { return misuseError{fmt.Errorf(format, args...)} }
