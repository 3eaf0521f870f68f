package credentials

import (
	"context"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestTokenOf(t *testing.T) {
	t.Setenv("SECRET_OF_TEST", "hush-hush")
	for command, want := range map[string]Token{
		"echo abc.def":                     {Value: "abc.def"},
		`echo '{"access_token":"a"}'`:      {Value: "a"},
		`echo '{"accessToken":"a","n":1}'`: {Value: "a"},
		`echo '{"token":"a","extensions":{"logicalCluster":"lkc-1"}}'`: {Value: "a", Extensions: map[string]string{"logicalCluster": "lkc-1"}},
		`echo a${SECRET_OF_TEST}b`:                                     {Value: "ab"},
	} {
		got, err := TokenOf(t.Context(), command, "SECRET_OF_TEST")
		if err != nil || got.Value != want.Value || !maps.Equal(got.Extensions, want.Extensions) {
			t.Errorf("%s: %v, %v", command, got, err)
		}
	}
	for command, want := range map[string]string{
		"true":                    "printed nothing",
		"echo hush hush":          "printed more than a token",
		"exit 3":                  "the command for it: exit status 3",
		"echo log in >&2; exit 3": "exit status 3: log in",
		`echo '{"token":'`:        "not JSON",
		`echo '{"hush":"hush"}'`:  "without token, access_token or accessToken",
	} {
		if _, err := TokenOf(t.Context(), command); err == nil || !strings.Contains(err.Error(), want) ||
			strings.Contains(err.Error(), "hush") {
			t.Errorf("%s: %v", command, err)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := TokenOf(ctx, "sleep 60"); err == nil || !strings.Contains(err.Error(), "did not end in time") {
		t.Error(err)
	}
}

func TestReadPassword(t *testing.T) {
	path := filepath.Join(t.TempDir(), "password")
	for text, want := range map[string]string{"a b\n": "a b", "a\r\nb": "a", "ñ": "ñ", "": ""} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if got, err := ReadPassword(path); got != want || (err == nil) != (want != "") {
			t.Errorf("%q: %q, %v", text, got, err)
		}
	}
	if err := os.Chmod(path, 0o604); err != nil {
		t.Fatal(err)
	}
	if _, err := ReadPassword(path); err == nil || !strings.HasSuffix(err.Error(), "chmod 600 "+path) {
		t.Error(err)
	}
}

func TestStores(t *testing.T) {
	dir := t.TempDir()
	for name, c := range map[string]struct{ text, want string }{
		"jks":   {"\xfe\xed\xfe\xed...", "convert it to PEM: keytool -importkeystore"},
		"p12":   {"\x30\x82...", "convert it to PEM: openssl pkcs12 -in "},
		"empty": {"", "has no certificate in PEM"},
	} {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(c.text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := (TLS{CA: PEM{File: path}}).Config(); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	const locked = "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n"
	for want, c := range map[string]TLS{
		"no certificate":        {Key: PEM{Text: "x"}},
		"no private key in PEM": {Certificate: PEM{Text: "x"}},
		"openssl pkey -in":      {Certificate: PEM{Text: "x"}, Key: PEM{Text: locked}},
		"no such file":          {CA: PEM{File: filepath.Join(dir, "nothing")}},
	} {
		if _, err := c.Config(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
}
