// Command rego-wasm is the policy compiler for a host that has neither files nor a network to give: a call is one JSON
// text and its answer another one. Calls come through the exports of reactor.go.
package main

import (
	"encoding/json"
	"fmt"

	"github.com/open-policy-agent/opa/v1/version"
)

// call is what the host asks. Every operation is given all that it works on; none remembers another.
type call struct {
	Operation    string            `json:"operation"`
	Files        map[string]string `json:"files"`
	Capabilities string            `json:"capabilities"`
	Revision     string            `json:"revision"`
	Rule         string            `json:"rule"`
	Inputs       []string          `json:"inputs"`
	Coverage     bool              `json:"coverage"`
}

type answer struct {
	Value  any       `json:"value,omitempty"`
	Errors []problem `json:"errors,omitempty"`
}

var operations = map[string]func(*call) (any, error){
	"version":  func(*call) (any, error) { return version.Version, nil },
	"check":    check,
	"format":   formatAll,
	"build":    build,
	"test":     test,
	"evaluate": evaluate,
	"explain":  explain,
}

// respond never fails: whatever goes wrong is in the answer.
func respond(text []byte) []byte {
	value, err := perform(text)
	out := answer{Value: value}
	if err != nil {
		out = answer{Errors: problemsOf(err)}
	}
	written, err := json.Marshal(out)
	if err != nil {
		written, _ = json.Marshal(answer{Errors: problemsOf(err)})
	}
	return written
}

func perform(text []byte) (value any, err error) {
	defer func() {
		if thrown := recover(); thrown != nil {
			err = fmt.Errorf("the compiler failed: %v", thrown)
		}
	}()
	var asked call
	if err := json.Unmarshal(text, &asked); err != nil {
		return nil, err
	}
	operation, known := operations[asked.Operation]
	if !known {
		return nil, fmt.Errorf("no operation is called %q", asked.Operation)
	}
	return operation(&asked)
}

// A reactor has no main of its own; the toolchain wants one.
func main() {}
