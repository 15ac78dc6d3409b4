# Caddy asks with the client's head and two headers about it, and reads nothing but the status. OPA's own door does just that: it decides
# on each request that it gets, and answers 401 or goes on, here to /health.
package system.authz

default allow := false

allow if data.gate.authz.permit with input as asked

# The flat form that the policy knows.
asked := {
	"method": header("X-Forwarded-Method"),
	"path": split(header("X-Forwarded-Uri"), "?")[0],
	"authorization": header("Authorization"),
	"client_ip": header("X-Forwarded-For"),
}

header(name) := input.headers[name][0]
