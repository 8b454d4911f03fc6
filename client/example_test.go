package client_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net/http"
	"os"
	"time"

	"licgate/client"
)

// business says for which service item and on whose order the calls are made.
var business = client.Business{
	ServiceItemCode: "110103MZ001", ServiceItemName: "婚姻登记",
	Operator: client.User{Account: "110000_zhangbin", Name: "张彬"},
}

// newClient reads what the platform gave the department. Secrets come from files that only the service may read.
func newClient() (*client.Client, error) {
	read := func(file string) client.Secret {
		text, err := os.ReadFile(file)
		if err != nil {
			log.Fatal(err)
		}
		return client.NewSecret(string(text))
	}
	return client.New(client.Config{
		URL:    "https://zz.example.gov.cn",
		CAFile: "/etc/hydj/root.crt",
		Credentials: client.Credentials{
			AppKey: "hydj", AppSecret: read("/etc/hydj/app_secret"),
			Account: "110000_zhangbin", Password: read("/etc/hydj/password"),
		},
	})
}

// Using licences (6.5.2.2): find a person's licences for a service item, read one, archive it.
func Example() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	c, err := newClient()
	if err != nil {
		log.Fatal(err)
	}
	if err := c.Login(ctx); err != nil {
		log.Fatal(err)
	}
	defer func() { _ = c.Logout(context.WithoutCancel(ctx)) }()

	found, err := c.Auth(ctx, client.AuthRequest{Business: business, IdentityNumbers: []string{"11010119800229123X"}})
	if err != nil {
		log.Fatal(err)
	}
	for i, licence := range found.Data {
		file, err := c.Archive(ctx, found.AuthCodes[i])
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(licence.Name, licence.Status, len(file.Data.Data), "bytes, answer", file.ResponseID)
	}
}

// Making licences (6.5.2.1): create, look again, sign. Issue does both at once.
func ExampleClient_Create() {
	ctx := context.Background()
	c, err := newClient()
	if err != nil {
		log.Fatal(err)
	}
	if err := c.Login(ctx); err != nil {
		log.Fatal(err)
	}
	made, err := c.Create(ctx, "305018201", client.Making{
		Business:   business,
		DataFields: map[string]any{"CZR": "李大华", "CYRSFZJHM": "11010119800229123X", "JHZZH": "J110103-2020-000002", "FZRQ": "2020-02-14"},
	})
	if err != nil {
		log.Fatal(err)
	}
	signed, err := c.Sign(ctx, "305018201", client.SignRequest{Business: business, LicenseCode: made.Data.LicenseCode})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("signed, answer", signed.ResponseID)
}

// A refusal is an *Error. Match its code; tell people its message; keep its response_id.
func ExampleError() {
	c, err := newClient()
	if err != nil {
		log.Fatal(err)
	}
	_, err = c.GetLicense(context.Background(), "lga1_…")
	var refusal *client.Error
	switch {
	case err == nil:
	case errors.As(err, &refusal) && refusal.Code == "40010":
		fmt.Println("find the licence again")
	case errors.As(err, &refusal) && refusal.Temporary():
		fmt.Println("wait, then try again")
	case errors.As(err, &refusal):
		fmt.Println(refusal.Message, refusal.ResponseID)
	default:
		fmt.Println("no answer: whether the call was done is unknown:", err)
	}
}

// Interfaces without a method of their own are reached by Call. A call with a shown code may be repeated with the same request_id.
func ExampleClient_Call() {
	c, err := newClient()
	if err != nil {
		log.Fatal(err)
	}
	ctx := client.WithRequestID(context.Background(), "win3-0001")
	answer, err := c.Call(ctx, http.MethodPost, "/license/get_license_qr", nil, struct {
		client.Business
		AuthCodeQR string `json:"auth_code_qr"`
	}{business, "lgq1_…"})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("answer", answer.ResponseID, len(answer.Data), "bytes")
}
