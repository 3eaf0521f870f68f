package hints

import (
	"fmt"
	"strings"

	"bizumctl/bizum/kafka"
	"bizumctl/commands/arguments"
	"bizumctl/commands/settings"
)

// accessHint returns what may be done about a broker that does not let us in.
func accessHint(err *kafka.AccessError) string {
	switch err.Fault {
	case kafka.SpeaksTLS:
		return "add --tls, and --tls-ca FILE if its authority is not a public one"
	case kafka.SpeaksPlainText:
		return "leave out --tls and the flags that begin with it, or take the port that speaks TLS"
	case kafka.UnknownAuthority:
		return "if that is right, --tls-ca FILE with that authority's certificate in PEM"
	case kafka.CertificateExpired:
		return "the broker needs a new certificate; is the clock of this machine right?"
	case kafka.OtherHost:
		if len(err.Offered) == 0 {
			return "the broker needs a certificate with its name; --tls-insecure trusts anybody"
		}
		return "connect by that name, or add --tls-server-name " + err.Offered[0]
	case kafka.WantsCertificate:
		return "add --tls-cert FILE and --tls-key FILE"
	case kafka.CertificateRefused:
		return "check --tls-cert FILE: signed by an authority that the broker knows, and not expired?"
	case kafka.WantsLogin, kafka.OtherMechanism:
		return loginHint(err.Offered)
	case kafka.WantsNoLogin:
		return "leave out --sasl, or take the port that wants it"
	case kafka.LoginRefused:
		if err.User == "" {
			return "check --token-command: has its token expired, and is it for this cluster?"
		}
		return "check --user, and the password in " + settings.PasswordVariable + " or --password-file"
	case kafka.NoToken:
		return "check --token-command"
	}
	return "bizumctl ping shows how far a connection comes"
}

// loginHint returns the flags for the best that a broker offers and we can do.
func loginHint(offered []string) string {
	for _, mechanism := range [...]string{kafka.ScramSHA512, kafka.ScramSHA256, kafka.Plain} {
		for _, o := range offered {
			if o == mechanism {
				return fmt.Sprintf("--sasl %s --user NAME, and the password in %s", strings.ToLower(o), settings.PasswordVariable)
			}
		}
	}
	for _, o := range offered {
		if o == kafka.OAuthBearer {
			return "--token-command 'COMMAND' that prints a token"
		}
	}
	return "it offers nothing that bizumctl can do: " + strings.Join(settings.Mechanisms(), ", ")
}

// deniedHint returns the ACL that is missing, as a command.
func deniedHint(err *kafka.DeniedError) string {
	what := "--" + err.Resource + " " + arguments.Quoted(err.Name)
	if err.Name == "" {
		what = "--" + err.Resource
	}
	principal := err.Principal
	if !strings.HasPrefix(principal, "User:") {
		principal = "User:NAME"
	}
	instead := ""
	if err.Operation == "IdempotentWrite" { // KIP-679
		instead = "; since Kafka 2.8, Write on the topic is enough"
	}
	return fmt.Sprintf("an administrator can grant it: kafka-acls --bootstrap-server HOST:PORT --add "+
		"--allow-principal %s --operation %s %s%s", arguments.Quoted(principal), err.Operation, what, instead)
}
