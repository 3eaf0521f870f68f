package manual

import "bizumctl/commands/settings"

var exitStatus = []Item{
	{Term: "0", Text: "done; also after Ctrl-C, and when nobody reads the output any more"},
	{Term: "1", Text: "failed: the last lines on standard error say what, where and what to do"},
	{Term: "2", Text: "misused"},
}

// description, environment and files are what no command's definition says.
var description = []string{
	"Each message of the stream is a payment, Nombre;Cantidad;Concepto;tipo in UTF-8: a name, an amount in euros, a " +
		"concept, and whether it was sent or received. Its key names the account; without one it is cuenta.",
	"Data goes to standard output, everything else to standard error. A command runs until Ctrl-C, or until the limit " +
		"that it was given.",
}

var environment = []Item{
	{Term: "BIZUMCTL_NAME", Text: "sets the flag --name of every command that has it, unless the command line does; " +
		"- is written as _"},
	{Term: settings.PasswordVariable, Text: "the password to log in with, which no flag takes"},
	{Term: "NO_COLOR", Text: "if it is not empty, nothing is coloured unless --color says so"},
}

var files = []Item{
	{Term: "~/.config/bizumctl/NAME.properties", Text: "a profile, for --profile NAME: what Kafka's client.properties says, and " +
		"our flags as bizumctl.topic=NAME; bizumctl config --profiles lists them, with their folder on other systems"},
}
