//go:build wasip1

package main

import "unsafe"

// The host writes a call where rego_place says, asks for the answer, and reads it before the next call. Both are kept
// here, so that neither is collected meanwhile.
var incoming, outgoing []byte

//go:wasmexport rego_place
func place(size uint32) uint32 {
	incoming = make([]byte, size)
	return addressOf(incoming)
}

//go:wasmexport rego_answer
func respondToIncoming() uint32 {
	outgoing = respond(incoming)
	incoming = nil
	return addressOf(outgoing)
}

//go:wasmexport rego_size
func size() uint32 { return uint32(len(outgoing)) }

func addressOf(bytes []byte) uint32 {
	return uint32(uintptr(unsafe.Pointer(unsafe.SliceData(bytes))))
}
