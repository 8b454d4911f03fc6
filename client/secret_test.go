package client_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"licgate/client"
)

func TestNothingPrints(t *testing.T) {
	t.Parallel()
	const person = "11010119800229123X" // invented
	secret := client.NewSecret(appSecret)
	credentials := client.Credentials{AppSecret: secret, Password: client.NewSecret(password)}
	c, err := client.New(client.Config{URL: "https://localhost", Credentials: credentials})
	if err != nil {
		t.Fatal(err)
	}
	user := client.User{Name: "李大华", IdentityNum: person}
	business := client.Business{Operator: user}
	for name, v := range map[string]any{
		"secret": secret, "pointer": &secret, "credentials": credentials, "config": client.Config{Credentials: credentials}, "client": c,
		"unexported": struct{ inner client.Credentials }{credentials},
		"user":       user, "business": business,
		"auth request": client.AuthRequest{Business: business, IdentityNumbers: []string{person}},
		"making":       client.Making{Business: business, DataFields: map[string]any{"CZR": "李大华"}},
		"sign request": client.SignRequest{Business: business},
		"licence":      client.License{HolderName: "李大华", HolderIdentityNum: person},
		"made":         client.Made{AuthCode: authCode},
		"token":        client.PageToken{Token: secret},
		"file":         client.File{Data: []byte("李大华")},
		"answer":       client.Answer[client.License]{AuthCodes: []string{authCode}, Data: client.License{HolderName: "李大华"}},
		"raw answer":   &client.Raw{AuthCodes: []string{authCode}, Data: json.RawMessage(`"李大华"`)},
		"many answers": []client.Answer[client.License]{{Data: client.License{HolderName: "李大华"}}},
	} {
		var log bytes.Buffer
		slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "text", fmt.Sprint(v))
		text := log.String()
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d", "%10.3v"} {
			text += fmt.Sprintf(verb, v)
		}
		for _, hidden := range []string{appSecret, password, authCode, person, "李大华", fmt.Sprintf("%x", appSecret), fmt.Sprintf("%x", "李大华")} {
			if strings.Contains(text, hidden) {
				t.Errorf("%s prints what it holds", name)
			}
		}
	}
	var log bytes.Buffer
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "secret", secret, "credentials", credentials)
	encoded, err := json.Marshal(credentials)
	if all := log.String() + string(encoded); err != nil || strings.Contains(all, appSecret) || strings.Contains(all, password) {
		t.Errorf("%v: a log or JSON tells a secret", err)
	}
}

func TestSecret(t *testing.T) {
	t.Parallel()
	var s client.Secret
	if !s.IsZero() || s.Reveal() != "" || client.NewSecret("") != s {
		t.Error("the zero value is not empty")
	}
	if err := json.Unmarshal([]byte(`"x"`), &s); err != nil || s.Reveal() != "x" || s.IsZero() {
		t.Errorf("%v %q", err, s.Reveal())
	}
	if err := json.Unmarshal([]byte(`""`), &s); err != nil || !s.IsZero() {
		t.Error("an empty text is not the zero value")
	}
}
