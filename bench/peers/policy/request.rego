# The request in one form, whoever asks: nginx, Caddy and Node send a flat input, opa-envoy-plugin its own.
package gate.request

default method := ""

method := input.method

method := input.attributes.request.http.method

default authorization := ""

authorization := input.authorization

authorization := input.attributes.request.http.headers.authorization

default client_ip := ""

client_ip := input.client_ip

client_ip := input.attributes.source.address.socketAddress.address

default segments := []

segments := split(trim(input.path, "/"), "/")

segments := input.parsed_path

# The Wasm runtime has no hash function: there the host sends the digest.
default key_hash := ""

key_hash := input.key_hash

key_hash := crypto.sha256(substring(authorization, 7, -1)) if {
	not input.key_hash
	startswith(authorization, "Bearer ")
}

# Nor has it a clock. Seconds.
now := input.now

now := time.now_ns() / 1000000000 if not input.now
