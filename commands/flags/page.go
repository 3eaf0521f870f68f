package flags

import "github.com/urfave/cli/v2"

// DefaultPage is where a page is served if no address is given.
const DefaultPage = "localhost:8080"

// optional is a flag whose value may be left out.
type optional struct {
	*cli.StringFlag
	bare string // the value then
}

// Page is the address of a live page, which may be left out.
func Page(value *string, usage string) cli.Flag {
	return &optional{&cli.StringFlag{Name: "page", Value: *value, Destination: value, Usage: usage}, DefaultPage}
}
