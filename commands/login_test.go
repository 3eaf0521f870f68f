package commands_test

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
)

// testLogin is whether the programs that the tests run have to log in, over TLS: BIZUMCTL_TEST_BROKERS is then a Kafka
// that .ci/kafka has started with BIZUMCTL_KAFKA_SECURED. The tests' own clients go on in plain text.
var testLogin = os.Getenv("BIZUMCTL_TEST_LOGIN") != ""

// programBrokers returns where the programs find the brokers that are at an address.
func programBrokers(address string) string {
	host, first, err := net.SplitHostPort(address)
	port, numberErr := strconv.Atoi(first)
	if !testLogin || err != nil || numberErr != nil {
		return address
	}
	return net.JoinHostPort(host, strconv.Itoa(port+listeners["SASLSSL"]))
}

// loginEnvironment is what the programs have in their environment to log in.
func loginEnvironment() map[string]string {
	if !testLogin {
		return nil
	}
	return map[string]string{"BIZUMCTL_TLS_CA": filepath.Join(securedDir, "certs", "ca.pem"),
		"BIZUMCTL_SASL": "scram-sha-512", "BIZUMCTL_USER": "ana", passwordVariable: anaPassword}
}

const passwordVariable = "BIZUMCTL_PASSWORD"

// lookupLogin is an environment with nothing else.
func lookupLogin(name string) (string, bool) {
	value, set := loginEnvironment()[name]
	return value, set
}

// loginVariables is loginEnvironment for exec.
func loginVariables() (all []string) {
	for name, value := range loginEnvironment() {
		all = append(all, fmt.Sprintf("%s=%s", name, value))
	}
	return all
}

// kcatLogin is the configuration with which kcat logs in.
func kcatLogin() []byte {
	login := loginEnvironment()
	return fmt.Appendf(nil, "security.protocol=SASL_SSL\nssl.ca.location=%s\nsasl.mechanisms=PLAIN\n"+
		"sasl.username=%s\nsasl.password=%s\n", login["BIZUMCTL_TLS_CA"], login["BIZUMCTL_USER"], login[passwordVariable])
}
