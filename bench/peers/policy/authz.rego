# Who may do what in which space, by API key. Paths are /api/v1/spaces/{space}/{resource}[/{id}].
package gate.authz

import data.gate.request

# METADATA
# description: The whole answer, for those who ask for it.
# entrypoint: true
decision := {
	"allow": allow,
	"reasons": reasons,
	"principal": principal_id,
	"space": space_id,
	"permission": route.permission,
	"tier": tier,
	"limits": limits,
	"headers": {
		"x-auth-principal": principal_id,
		"x-auth-space": space_id,
		"x-auth-tier": tier,
	},
	"obligations": obligations,
}

default allow := false

allow if {
	granted
	not refused
}

refused if some _ in reasons

# Undefined for a no: /v0/data then answers 404, which is all that nginx needs to know.
permit if allow

# The answer in the form of opa-envoy-plugin.
envoy := {"allowed": true, "headers": decision.headers} if decision.allow

envoy := {
	"allowed": false,
	"http_status": status,
	"body": concat(",", sort(decision.reasons)),
} if {
	not decision.allow
}

default status := 403

status := 401 if "credential.unknown" in reasons

# The place

default space_id := ""

space_id := request.segments[3] if {
	request.segments[0] == "api"
	request.segments[1] == "v1"
	request.segments[2] == "spaces"
}

default route := {"permission": "", "writes": false, "audit": "full"}

route := data.access.routes[request.segments[4]][request.method]

# The caller

default key := {}

key := data.access.keys[request.key_hash]

default principal_id := ""

principal_id := key.principal

default principal := {}

principal := data.access.principals[principal_id]

default tier := "none"

tier := key.tier

default limits := []

limits := data.tiers[tier].limits

# Roles in the space: the principal's own, those of its groups, and what a public space gives to everyone

roles_here contains principal.spaces[space_id]

roles_here contains role if {
	some group in principal.groups
	role := data.access.groups[group].spaces[space_id]
}

roles_here contains "reader" if data.access.spaces[space_id].visibility == "public"

default granted := false

granted if {
	some role in roles_here
	data.access.roles[role].permissions[route.permission]
}

# A role that holds everywhere
granted if data.access.roles[principal.global_role].permissions[route.permission]

# What the key itself leaves of that

default in_scope := false

in_scope if count(key.scopes) == 0

in_scope if route.permission in key.scopes

default in_network := false

in_network if count(key.cidrs) == 0

in_network if {
	some cidr in key.cidrs
	net.cidr_contains(cidr, request.client_ip)
}

# Why not

reasons contains "credential.unknown" if not key.principal

reasons contains "credential.revoked" if key.revoked == true

reasons contains "credential.expired" if key.expires <= request.now

reasons contains "principal.disabled" if principal.disabled == true

reasons contains "route.unknown" if route.permission == ""

reasons contains "space.unknown" if not data.access.spaces[space_id]

reasons contains "space.frozen" if {
	route.writes
	data.access.spaces[space_id].frozen == true
}

reasons contains "switch.maintenance" if {
	route.writes
	data.access.settings.maintenance == true
}

reasons contains "credential.scope" if {
	key.principal
	not in_scope
}

reasons contains "credential.network" if {
	key.principal
	not in_network
}

reasons contains "permission.missing" if not granted

# Duties of whoever asked

obligations contains "audit-full" if route.audit == "full"

obligations contains "audit-full" if data.access.spaces[space_id].labels.sensitive == true

obligations contains "mask-body" if data.access.spaces[space_id].labels.pii == true
