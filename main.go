// Command bizumctl makes, shows and keeps the books of a stream of Bizum payments on Kafka. Its commands are in the
// package commands; this file only hands them the outside world.
package main

import (
	"context"
	_ "embed"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"
	"time"

	"bizumctl/commands"
)

//go:embed names.txt
var names []byte

//go:embed concepts.txt
var concepts []byte

// secondAfter is how much later than the first a signal has to come to be a second wish: timeout(1) and others send
// theirs twice, to the process and to its group.
const secondAfter = 200 * time.Millisecond

func main() {
	if os.Getenv("GOGC") == "" {
		// Batches of records come and go, and little is kept: to collect less often than by default saves a tenth of the
		// time, and keeps produce and balance of 5 million payments below 100 MB, and a ledger of a million accounts below
		// 250 MB. At 200 the ledger passes it, at 400 all do, and save little more.
		debug.SetGCPercent(170)
	}
	signal.Ignore(syscall.SIGPIPE) // a closed pipe is an error of the write, like any other
	ends := []os.Signal{os.Interrupt, syscall.SIGTERM}
	if !signal.Ignored(syscall.SIGHUP) { // as nohup has it
		ends = append(ends, syscall.SIGHUP) // the window was closed
	}
	ctx, stop := signal.NotifyContext(context.Background(), ends...)
	context.AfterFunc(ctx, func() { time.AfterFunc(secondAfter, stop) }) // a second signal ends the process at once
	os.Exit(commands.Run(ctx, commands.Env{
		Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr,
		Names: names, Concepts: concepts,
		Now: time.Now, LookupEnv: os.LookupEnv,
	}, os.Args))
}
