package main

import (
	"context"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/rego"
	"github.com/open-policy-agent/opa/v1/topdown"
)

// decision is one evaluation: a value, nothing where the rule has none, or errors.
type decision struct {
	Defined bool      `json:"defined"`
	Value   any       `json:"value,omitempty"`
	Errors  []problem `json:"errors,omitempty"`
	Steps   []*step   `json:"steps,omitempty"`
}

func (c *call) prepare() (*rego.PreparedEvalQuery, error) {
	capabilities, err := c.capabilities()
	if err != nil {
		return nil, err
	}
	loaded, err := c.load(capabilities)
	if err != nil {
		return nil, err
	}
	query, err := rego.New(
		rego.Query(c.Rule),
		rego.Capabilities(capabilities),
		rego.SetRegoVersion(ast.RegoV1),
		rego.EnablePrintStatements(true),
		rego.ParsedBundle("policy", loaded),
	).PrepareForEval(context.Background())
	return &query, err
}

func evaluate(c *call) (any, error) {
	query, err := c.prepare()
	if err != nil {
		return nil, err
	}
	decisions := make([]decision, 0, len(c.Inputs))
	for _, input := range c.Inputs {
		decisions = append(decisions, decide(query, input, nil))
	}
	return decisions, nil
}

func decide(query *rego.PreparedEvalQuery, input string, trace *trace) decision {
	value, err := ast.ValueFromReader(strings.NewReader(input))
	if err != nil {
		return decision{Errors: problemsOf(err)}
	}
	options := []rego.EvalOption{rego.EvalParsedInput(value)}
	if trace != nil {
		options = append(options, rego.EvalQueryTracer(trace))
	}
	results, err := query.Eval(context.Background(), options...)
	if err != nil {
		return decision{Errors: problemsOf(err)}
	}
	if len(results) == 0 {
		return decision{}
	}
	return decision{Defined: true, Value: results[0].Expressions[0].Value}
}

func explain(c *call) (any, error) {
	query, err := c.prepare()
	if err != nil {
		return nil, err
	}
	trace := &trace{known: map[step]*step{}}
	explained := decide(query, c.Inputs[0], trace)
	explained.Steps = trace.steps
	return explained, nil
}

// step is told once, however often it was taken.
type step struct {
	Step  string `json:"step"`
	Rule  string `json:"rule"`
	File  string `json:"file"`
	Row   int    `json:"row"`
	Times int    `json:"times"`
}

type trace struct {
	known map[step]*step
	steps []*step
}

func (*trace) Enabled() bool { return true }

func (*trace) Config() topdown.TraceConfig { return topdown.TraceConfig{} }

func (t *trace) TraceEvent(event topdown.Event) {
	if event.Location == nil || event.Location.File == "" {
		return
	}
	taken := step{File: event.Location.File, Row: event.Location.Row}
	switch node := event.Node.(type) {
	case *ast.Rule:
		switch event.Op {
		case topdown.EnterOp:
			taken.Step = "enter"
		case topdown.ExitOp:
			taken.Step = "exit"
		default:
			return
		}
		taken.Rule = node.Ref().GroundPrefix().String()
	case *ast.Expr:
		if event.Op != topdown.FailOp {
			return
		}
		taken.Step = "fail"
	default:
		return
	}
	if t.known[taken] == nil {
		added := taken
		t.known[taken] = &added
		t.steps = append(t.steps, &added)
	}
	t.known[taken].Times++
}
