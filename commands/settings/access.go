package settings

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"bizumctl/bizum/kafka"
	"bizumctl/bizum/kafka/credentials"
	"bizumctl/commands/console"
	"bizumctl/commands/flags"
	"bizumctl/commands/misuse"
)

// access is how to get into a secured cluster.
type access struct {
	tls, insecure                        bool
	ca, certificate, key, serverName     string
	sasl, user, passwordFile, tokenShell string
	profile                              string
	file                                 settingsFile
}

// PasswordVariable holds the password. It is not the variable of a flag: other users see the flags of a process.
const PasswordVariable = "BIZUMCTL_PASSWORD"

// Mechanisms returns the values of --sasl.
func Mechanisms() []string { return []string{"plain", "scram-sha-256", "scram-sha-512", "oauthbearer"} }

func (a *access) flags() []cli.Flag {
	return []cli.Flag{
		&cli.BoolFlag{Name: "tls", Destination: &a.tls, Usage: "speak TLS; so do the flags that follow"},
		&cli.StringFlag{Name: "tls-ca", Destination: &a.ca,
			Usage: "`FILE` in PEM with who signs the brokers' certificates; without it, those that the system trusts"},
		&cli.StringFlag{Name: "tls-cert", Destination: &a.certificate, Usage: "`FILE` in PEM with our certificate"},
		&cli.StringFlag{Name: "tls-key", Destination: &a.key,
			Usage: "`FILE` in PEM with its key, if that is not with the certificate"},
		&cli.StringFlag{Name: "tls-server-name", Destination: &a.serverName,
			Usage: "`NAME` that the brokers' certificates are for, instead of the host of each"},
		&cli.BoolFlag{Name: "tls-insecure", Destination: &a.insecure, Usage: "do not check who the broker is"},
		&cli.StringFlag{Name: "sasl", Destination: &a.sasl,
			Usage: "log in by `MECHANISM`: " + strings.Join(Mechanisms(), ", ")},
		&cli.StringFlag{Name: "user", Destination: &a.user,
			Usage: "log in as `NAME`; the password is in " + PasswordVariable + ", or asked for"},
		&cli.StringFlag{Name: "password-file", Destination: &a.passwordFile,
			Usage: "`FILE` whose first line is the password"},
		&cli.StringFlag{Name: "token-command", Destination: &a.tokenShell,
			Usage: "`COMMAND` that prints a token for oauthbearer, run for each login"},
		&cli.GenericFlag{Name: "config", Aliases: []string{"command-config"}, Value: &a.file,
			Usage: "`FILE` that Kafka's tools read, such as client.properties"},
		&cli.StringFlag{Name: "profile", Destination: &a.profile,
			Usage: "`NAME` of such a file in the folder that \"bizumctl config --profiles\" lists"},
	}
}

// apply completes a configuration. It may ask for a password.
func (a *access) apply(ctx context.Context, env Environment, screen *console.Console, config *kafka.Config) error {
	config.ClientID = cmp.Or(a.file.settings.ClientID, config.ClientID)
	if a.tls || a.insecure || cmp.Or(a.ca, a.certificate, a.key, a.serverName) != "" {
		t := a.certificates()
		if _, err := t.Config(); err != nil {
			return misuse.Errorf("%w", err)
		}
		config.TLS = t.Config
		config.Subject, _ = t.Subject() // it has been read
		if t.Insecure {
			screen.Noticef("anybody who is in the way may read and change everything, and learn the password: " +
				"nobody's certificate is checked")
		}
	}
	login, err := a.login(ctx, env, screen)
	if err != nil {
		return err
	}
	if config.SASL = login; login != nil && login.Mechanism == kafka.Plain && config.TLS == nil {
		screen.Noticef("the password goes over the network as it is: without TLS, whoever is in the way reads it")
	}
	return nil
}

// certificates joins the flags with what only a file can have: the certificates themselves.
func (a *access) certificates() credentials.TLS {
	t := a.file.settings.TLS
	if a.ca != "" {
		t.CA = credentials.PEM{File: a.ca}
	}
	if a.certificate != "" {
		t.Certificate, t.Key = credentials.PEM{File: a.certificate}, credentials.PEM{}
	}
	if a.key != "" {
		t.Key = credentials.PEM{File: a.key}
	}
	t.ServerName, t.Insecure = a.serverName, a.insecure
	t.AnyHost = t.AnyHost && a.serverName == ""
	return t
}

// login returns how to log in, nil if we do not.
func (a *access) login(ctx context.Context, env Environment, screen *console.Console) (*kafka.SASL, error) {
	mechanism := strings.ToLower(a.sasl)
	if mechanism == "" && a.tokenShell != "" {
		mechanism = "oauthbearer"
	}
	switch {
	case mechanism == "" && (a.user != "" || a.passwordFile != ""):
		return nil, misuse.WithHint(misuse.Errorf("there is a user or a password, but not how to log in"),
			"--sasl scram-sha-512, or another that the cluster takes; bizumctl ping lists them")
	case mechanism == "":
		return nil, nil
	case !slices.Contains(Mechanisms(), mechanism):
		return nil, flags.OneOf("sasl", a.sasl, Mechanisms()...)
	case mechanism == "oauthbearer" && a.tokenShell == "":
		return nil, misuse.Errorf("--sasl oauthbearer needs a token: --token-command 'COMMAND' that prints it")
	case mechanism == "oauthbearer":
		return &kafka.SASL{Mechanism: kafka.OAuthBearer, Token: a.token}, nil
	case a.user == "":
		return nil, misuse.Errorf("--sasl %s needs --user NAME", mechanism)
	}
	password, _, err := a.password(env, func() (string, error) {
		return screen.AskSecret(ctx, "password of "+a.user)
	})
	return &kafka.SASL{Mechanism: strings.ToUpper(mechanism), User: a.user, Password: kafka.Secret(password)}, err
}

// token runs the command, which does not learn the password.
func (a *access) token(ctx context.Context) (kafka.Token, error) {
	token, err := credentials.TokenOf(ctx, a.tokenShell, PasswordVariable)
	return kafka.Token{Value: kafka.Secret(token.Value), Extensions: token.Extensions}, err
}

// password returns the password and where it is from: like a flag's value, but that there is none.
func (a *access) password(env Environment, ask func() (string, error)) (password, origin string, err error) {
	fromFlag := a.file.origins["password-file"] == commandLine
	if password, set := env.LookupEnv(PasswordVariable); set && !fromFlag {
		if password == "" {
			return "", "", misuse.Errorf("%s is empty: give it a value, or unset it", PasswordVariable)
		}
		return password, PasswordVariable, nil
	}
	if a.passwordFile != "" {
		password, err := credentials.ReadPassword(a.passwordFile)
		if err != nil {
			return "", "", misuse.Errorf("--password-file: %w", err)
		}
		return password, a.passwordFile, nil
	}
	// Another user's password would be sent to no use.
	if login := a.file.settings.Login; login.Password != "" && login.User == a.user {
		return login.Password, a.file.name, nil
	}
	password, err = ask()
	if errors.Is(err, console.ErrNoTerminal) {
		return "", "", misuse.WithHint(misuse.Errorf("no password for --user %s: %w", a.user, err),
			"set "+PasswordVariable+", or give --password-file FILE")
	}
	switch {
	case errors.Is(err, context.Canceled):
		err = errors.New("interrupted before there was a password")
	case err == nil && password == "":
		err = misuse.Errorf("the password is empty")
	}
	return password, "asked for", err
}
