package main

import (
	"errors"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/loader"
	"github.com/open-policy-agent/opa/v1/rego"
	"github.com/open-policy-agent/opa/v1/topdown"
)

// problem has the names that `opa … --format json` gives to the parts of an error.
type problem struct {
	Message  string        `json:"message"`
	Code     string        `json:"code,omitempty"`
	Location *ast.Location `json:"location,omitempty"`
}

// problemsOf takes apart what holds several errors, and says the place of each that has one.
func problemsOf(err error) []problem {
	var ofCompiler ast.Errors
	var ofLoader loader.Errors
	var ofEvaluation rego.Errors
	var one *ast.Error
	var thrown *topdown.Error
	switch {
	case errors.As(err, &ofCompiler):
		return each(ofCompiler)
	case errors.As(err, &ofLoader):
		return each(ofLoader)
	case errors.As(err, &ofEvaluation):
		return each(ofEvaluation)
	case errors.As(err, &one):
		return []problem{{Message: one.Message, Code: one.Code, Location: one.Location}}
	case errors.As(err, &thrown):
		return []problem{{Message: thrown.Message, Code: thrown.Code, Location: thrown.Location}}
	}
	return []problem{{Message: err.Error()}}
}

func each[E error](errs []E) []problem {
	all := make([]problem, 0, len(errs))
	for _, err := range errs {
		all = append(all, problemsOf(err)...)
	}
	return all
}
