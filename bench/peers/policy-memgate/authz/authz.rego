# METADATA
# description: Who may do what in which space - the policy of the peers, asked and answered the way of memgate.
package memgate.authz

import data.memgate.caller
import data.memgate.place

# METADATA
# description: The whole answer. Every field is total, so this document is never undefined.
# entrypoint: true
decision := {
	"allow": allow,
	"reasons": reasons,
	"missing": missing,
	"tier": caller.tier,
	"limits": caller.limits,
	"obligations": {"audit": audit, "headers": {}, "mask": []},
}

# METADATA
# description: A role that grants it, and no reason against it.
# scope: document
default allow := false

allow if {
	caller.granted
	not refused
}

# METADATA
# description: There is a reason against it.
# scope: document
refused if some _ in reasons

# METADATA
# description: Why not.
reasons contains "credential.unknown" if not caller.key.principal

reasons contains "credential.revoked" if caller.key.revoked == true

reasons contains "credential.expired" if caller.key.expires <= input.now

reasons contains "principal.disabled" if caller.principal.disabled == true

reasons contains "route.unknown" if place.route.permission == ""

reasons contains "space.unknown" if not data.access.spaces[place.space_id]

reasons contains "space.frozen" if {
	place.route.writes
	place.space.frozen == true
}

reasons contains "switch.maintenance" if {
	place.route.writes
	data.access.settings.maintenance == true
}

reasons contains "switch.readonly" if {
	place.route.writes
	not input.switches.readonly == false
}

reasons contains "credential.scope" if {
	caller.key.principal
	not caller.in_scope
}

reasons contains "credential.network" if {
	caller.key.principal
	not caller.in_network
}

reasons contains "permission.missing" if not caller.granted

# METADATA
# description: Names of the permissions that were needed and are not held, as memgate calls them.
missing contains input.request.permission if {
	is_string(input.request.permission)
	not caller.granted
}

# METADATA
# description: Duties that the record has to reflect.
duties contains "audit-full" if place.route.audit == "full"

duties contains "audit-full" if place.space.labels.sensitive == true

# memgate masks no bodies: what is personal is recorded louder instead.
duties contains "mask-body" if place.space.labels.pii == true

# METADATA
# description: How loud the record is.
# scope: document
default audit := "info"

audit := "warning" if some _ in duties
