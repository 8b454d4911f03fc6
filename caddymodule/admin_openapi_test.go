package caddymodule

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3gen"

	"licgate/audit"
	"licgate/audit/evidence"
)

// TestOpenAPI: the description that is served is what the table of routes and its types say, and is valid.
func TestOpenAPI(t *testing.T) {
	t.Parallel()
	doc, err := describeAdmin()
	if err != nil {
		t.Fatal(err)
	}
	if err := doc.Validate(t.Context()); err != nil {
		t.Errorf("not valid OpenAPI: %v", err)
	}
	text, err := json.MarshalIndent(doc, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	text = append(text, '\n')
	if *update {
		if err := os.WriteFile("openapi.json", text, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(text, openapiText) && !*update {
		t.Error("openapi.json does not say what the routes are: go generate ./caddymodule")
	}
}

// describeAdmin makes the OpenAPI 3 description of the admin API.
func describeAdmin() (*openapi3.T, error) {
	doc := &openapi3.T{
		OpenAPI: "3.0.3",
		Info: &openapi3.Info{
			Title: "licgate 管理接口", Version: "1",
			Description: "在 Caddy 管理端点之下。启用三员分立后须以管理员登录取得的令牌（Authorization: Bearer）或登记的客户端证书调用；" +
				"每次调用在执行之前先记入审计。改变现行声明的调用可带 If-Match: \"版本号\"。",
		},
		Paths:      openapi3.NewPaths(),
		Components: &openapi3.Components{Schemas: openapi3.Schemas{}},
	}
	doc.Components.SecuritySchemes = openapi3.SecuritySchemes{
		"administrator": &openapi3.SecuritySchemeRef{Value: openapi3.NewSecurityScheme().WithType("http").WithScheme("bearer")},
	}
	failure := openapi3.NewObjectSchema().WithProperty("error", openapi3.NewStringSchema()).WithRequired([]string{"error"})
	for _, route := range adminRoutes() {
		operation, err := route.describe(doc.Components.Schemas)
		if err != nil {
			return nil, fmt.Errorf("describing %s %s: %w", route.method, route.path, err)
		}
		operation.Responses.Set("default", &openapi3.ResponseRef{Value: openapi3.NewResponse().
			WithDescription("拒绝或失败：原因与处理办法").WithJSONSchema(failure)})
		doc.AddOperation(adminRoot+route.path, route.method, operation)
	}
	return doc, nil
}

func (r *adminRoute) describe(schemas openapi3.Schemas) (*openapi3.Operation, error) {
	op := openapi3.NewOperation()
	op.Summary = r.summary
	op.OperationID = strings.ToLower(r.method) + "_" + strings.NewReplacer("/", "_", "{", "", "}", "", ".", "_").Replace(r.path)
	op.Tags = []string{strings.SplitN(r.path, "/", 2)[0]}
	if r.power != powerNone {
		op.Description = "须由" + powerNames[r.power] + "执行"
		op.Security = openapi3.NewSecurityRequirements().With(openapi3.NewSecurityRequirement().Authenticate("administrator"))
	}
	for _, name := range r.variables() {
		op.AddParameter(openapi3.NewPathParameter(name).WithSchema(openapi3.NewStringSchema()))
	}
	question := reflect.TypeOf(r.question)
	switch {
	case question == reflect.TypeFor[nothing]():
	case r.method == http.MethodGet:
		for i := range question.NumField() {
			name, _, _ := strings.Cut(question.Field(i).Tag.Get("json"), ",")
			schema, err := openapi3gen.NewSchemaRefForValue(reflect.Zero(question.Field(i).Type).Interface(), schemas)
			if err != nil {
				return nil, err
			}
			op.AddParameter(openapi3.NewQueryParameter(name).WithSchema(schema.Value))
		}
	default:
		schema, err := openapi3gen.NewSchemaRefForValue(r.question, schemas, openapi3gen.SchemaCustomizer(closed))
		if err != nil {
			return nil, err
		}
		op.RequestBody = &openapi3.RequestBodyRef{Value: openapi3.NewRequestBody().WithJSONSchemaRef(schema)}
	}
	answer := openapi3.NewResponse().WithDescription("完成")
	switch r.answer.(type) {
	case string:
		answer.WithContent(openapi3.NewContentWithSchema(openapi3.NewStringSchema(), []string{"application/yaml"}))
	case nil: // an interface: the description itself
		answer.WithJSONSchema(openapi3.NewObjectSchema())
	default:
		schema, err := openapi3gen.NewSchemaRefForValue(r.answer, schemas)
		if err != nil {
			return nil, err
		}
		content := openapi3.NewContentWithJSONSchemaRef(schema)
		if r.lines() {
			content = openapi3.NewContentWithSchemaRef(schema, []string{"application/x-ndjson"})
		}
		answer.WithContent(content)
	}
	op.Responses = openapi3.NewResponses(openapi3.WithStatus(http.StatusOK, &openapi3.ResponseRef{Value: answer}))
	return op, nil
}

// lines reports whether the route streams JSON lines.
func (r *adminRoute) lines() bool {
	switch r.answer.(type) {
	case audit.Record, evidence.Entry:
		return true
	}
	return false
}

// closed says that members which the body does not have are refused.
func closed(_ string, t reflect.Type, _ reflect.StructTag, schema *openapi3.Schema) error {
	if t.Kind() == reflect.Struct && schema.Type.Is("object") && len(schema.Properties) > 0 {
		no := false
		schema.AdditionalProperties = openapi3.BoolSchema{Has: &no}
	}
	return nil
}
