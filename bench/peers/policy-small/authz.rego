# The least that still looks at the key and at the right in the space: it tells how much of a figure is the policy.
package gate.authz

key := data.access.keys[crypto.sha256(substring(input.authorization, 7, -1))]

permit if {
	parts := split(trim(input.path, "/"), "/")
	route := data.access.routes[parts[4]][input.method]
	not key.revoked
	principal := data.access.principals[key.principal]
	not principal.disabled
	role := principal.spaces[parts[3]]
	data.access.roles[role].permissions[route.permission]
}
