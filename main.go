// Command bizumctl makes, shows and keeps the books of a stream of Bizum payments on Kafka. Its commands are in the
// package commands; this file only hands them the outside world.
package main

import (
	"context"
	_ "embed"
	"os"
	"os/signal"
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
	signal.Ignore(syscall.SIGPIPE) // a closed pipe is an error of the write, like any other
	ends := []os.Signal{os.Interrupt, syscall.SIGTERM}
	if !signal.Ignored(syscall.SIGHUP) { // as nohup has it
		ends = append(ends, syscall.SIGHUP) // the window was closed
	}
	ctx, stop := signal.NotifyContext(context.Background(), ends...)
	context.AfterFunc(ctx, func() { time.AfterFunc(secondAfter, stop) }) // a second signal ends the process at once
	configDir, _ := os.UserConfigDir()                                   // without one there are no profiles
	os.Exit(commands.Run(ctx, commands.Env{
		Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr,
		Names: names, Concepts: concepts,
		Now: time.Now, LookupEnv: os.LookupEnv, ConfigDir: configDir,
	}, os.Args))
}
