// OPA with a server of Envoy's external authorization beside its own: the part of opa-envoy-plugin that a request needs. The plugin itself
// is in no registry that can be reached here, so this stands in for it: OPA's own engine, store and decision log, asked over gRPC.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"strings"
	"sync"
	"time"

	core "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	auth "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	envoytype "github.com/envoyproxy/go-control-plane/envoy/type/v3"
	"github.com/open-policy-agent/opa/cmd"
	"github.com/open-policy-agent/opa/v1/metrics"
	"github.com/open-policy-agent/opa/v1/plugins"
	"github.com/open-policy-agent/opa/v1/plugins/logs"
	"github.com/open-policy-agent/opa/v1/rego"
	"github.com/open-policy-agent/opa/v1/runtime"
	"github.com/open-policy-agent/opa/v1/server"
	"github.com/open-policy-agent/opa/v1/storage"
	"github.com/open-policy-agent/opa/v1/util"
	"google.golang.org/genproto/googleapis/rpc/code"
	"google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/encoding/protojson"
)

const pluginName = "envoy_ext_authz_grpc"

type config struct {
	Addr string `json:"addr"`
	Path string `json:"path"` // of the rule, with slashes
}

type factory struct{}

func (factory) Validate(_ *plugins.Manager, raw []byte) (any, error) {
	parsed := config{}
	if err := util.Unmarshal(raw, &parsed); err != nil {
		return nil, err
	}
	if parsed.Addr == "" || parsed.Path == "" {
		return nil, errors.New("addr and path are needed")
	}
	return parsed, nil
}

func (factory) New(manager *plugins.Manager, parsed any) plugins.Plugin {
	return &authorizer{config: parsed.(config), manager: manager}
}

type authorizer struct {
	auth.UnimplementedAuthorizationServer
	config  config
	manager *plugins.Manager
	server  *grpc.Server
	mutex   sync.Mutex
	query   *rego.PreparedEvalQuery
}

func (a *authorizer) Start(context.Context) error {
	listener, err := net.Listen("tcp", a.config.Addr)
	if err != nil {
		return err
	}
	a.manager.RegisterCompilerTrigger(func(storage.Transaction) { a.forget() })
	a.server = grpc.NewServer()
	auth.RegisterAuthorizationServer(a.server, a)
	go func() { _ = a.server.Serve(listener) }()
	a.manager.UpdatePluginStatus(pluginName, &plugins.Status{State: plugins.StateOK})
	return nil
}

func (a *authorizer) Stop(context.Context) { a.server.Stop() }

func (a *authorizer) Reconfigure(context.Context, any) {}

func (a *authorizer) forget() {
	a.mutex.Lock()
	defer a.mutex.Unlock()
	a.query = nil
}

func (a *authorizer) rule() string { return "data." + strings.ReplaceAll(a.config.Path, "/", ".") }

// prepared gives the query, made once for each state of the policy.
func (a *authorizer) prepared(ctx context.Context, txn storage.Transaction) (*rego.PreparedEvalQuery, error) {
	a.mutex.Lock()
	defer a.mutex.Unlock()
	if a.query == nil {
		query, err := rego.New(rego.Query(a.rule()), rego.Compiler(a.manager.GetCompiler()),
			rego.Store(a.manager.Store), rego.Transaction(txn)).PrepareForEval(ctx)
		if err != nil {
			return nil, err
		}
		a.query = &query
	}
	return a.query, nil
}

// Check answers one request of Envoy, and logs the decision where OPA logs decisions.
func (a *authorizer) Check(ctx context.Context, request *auth.CheckRequest) (*auth.CheckResponse, error) {
	started := time.Now()
	measured := metrics.New()
	input, err := inputOf(request)
	if err != nil {
		return nil, err
	}
	txn, err := a.manager.Store.NewTransaction(ctx)
	if err != nil {
		return nil, err
	}
	defer a.manager.Store.Abort(ctx, txn)
	query, err := a.prepared(ctx, txn)
	if err != nil {
		return nil, err
	}
	results, err := query.Eval(ctx, rego.EvalInput(input), rego.EvalTransaction(txn), rego.EvalMetrics(measured))
	if err != nil {
		return nil, err
	}
	if len(results) != 1 {
		return nil, errors.New("the rule is undefined")
	}
	decision := results[0].Expressions[0].Value
	if logger := logs.Lookup(a.manager); logger != nil {
		info := server.Info{Txn: txn, DecisionID: fmt.Sprintf("%d", started.UnixNano()), Path: a.config.Path,
			Timestamp: started, Input: &input, Results: &decision, Metrics: measured}
		if err := logger.Log(ctx, &info); err != nil {
			return nil, err
		}
	}
	return answerOf(decision)
}

func inputOf(request *auth.CheckRequest) (any, error) {
	text, err := protojson.Marshal(request)
	if err != nil {
		return nil, err
	}
	input := map[string]any{}
	if err := util.UnmarshalJSON(text, &input); err != nil {
		return nil, err
	}
	path, _, _ := strings.Cut(request.GetAttributes().GetRequest().GetHttp().GetPath(), "?")
	segments := []any{}
	for _, segment := range strings.Split(strings.TrimPrefix(path, "/"), "/") {
		plain, err := url.PathUnescape(segment)
		if err != nil {
			return nil, err
		}
		segments = append(segments, plain)
	}
	input["parsed_path"] = segments
	return input, nil
}

func answerOf(decision any) (*auth.CheckResponse, error) {
	text, err := json.Marshal(decision)
	if err != nil {
		return nil, err
	}
	answer := struct {
		Allowed bool              `json:"allowed"`
		Status  int32             `json:"http_status"`
		Headers map[string]string `json:"headers"`
		Body    string            `json:"body"`
	}{}
	if err := json.Unmarshal(text, &answer); err != nil {
		return nil, err
	}
	if !answer.Allowed {
		denied := &auth.DeniedHttpResponse{Status: &envoytype.HttpStatus{Code: envoytype.StatusCode(answer.Status)}, Body: answer.Body}
		return &auth.CheckResponse{Status: &status.Status{Code: int32(code.Code_PERMISSION_DENIED)},
			HttpResponse: &auth.CheckResponse_DeniedResponse{DeniedResponse: denied}}, nil
	}
	headers := []*core.HeaderValueOption{}
	for name, value := range answer.Headers {
		headers = append(headers, &core.HeaderValueOption{Header: &core.HeaderValue{Key: name, Value: value}})
	}
	return &auth.CheckResponse{Status: &status.Status{Code: int32(code.Code_OK)},
		HttpResponse: &auth.CheckResponse_OkResponse{OkResponse: &auth.OkHttpResponse{Headers: headers}}}, nil
}

func main() {
	runtime.RegisterPlugin(pluginName, factory{})
	if err := cmd.RootCommand.Execute(); err != nil {
		os.Exit(1)
	}
}
