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

func main() {
	signal.Ignore(syscall.SIGPIPE) // a closed pipe is an error of the write, like any other
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	os.Exit(commands.Run(ctx, commands.Env{
		Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr,
		Names: names, Concepts: concepts,
		Now: time.Now, Getenv: os.Getenv,
	}, os.Args))
}
