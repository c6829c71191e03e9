package main

import (
	"errors"
	"fmt"
)

// errMisuse marks an error of the caller, for exit code 2.
var errMisuse = errors.New("wrong use")

// hinted is an error with what to do about it, which is printed on a line of its own.
type hinted struct {
	err    error
	hint   string
	misuse bool
}

func (h *hinted) Error() string { return h.err.Error() }
func (h *hinted) Unwrap() error { return h.err }

// Is makes a misuse known as one.
func (h *hinted) Is(target error) bool { return h.misuse && target == errMisuse }

// misuse is an error of whoever typed the command.
func misuse(hint, format string, args ...any) error {
	return &hinted{err: fmt.Errorf(format, args...), hint: hint, misuse: true}
}

// failure is an error of the world around, with what the operator can do.
func failure(hint, format string, args ...any) error {
	return &hinted{err: fmt.Errorf(format, args...), hint: hint}
}
