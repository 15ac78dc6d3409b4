# METADATA
# description: The whole answer to one request. Facts come in; nothing is looked up outside input and data.
package memgate.authz

import data.memgate.limits
import data.memgate.requests
import data.memgate.roles
import data.memgate.spaces
import data.memgate.subjects
import data.memgate.switches
import data.memgate.tools

# METADATA
# description: Every field is total, so this document is never undefined.
# entrypoint: true
decision := {
	"allow": allow,
	"reasons": reasons,
	"missing": roles.missing,
	"tier": limits.tier,
	"limits": limits.applied,
	"obligations": {"audit": audit, "headers": {}, "mask": []},
}

# METADATA
# description: A positive grant, and no reason against it. A denial that is undefined by accident cannot grant.
# scope: document
default allow := false

allow if {
	requests.well_formed
	subjects.named
	subjects.current
	roles.granted
	spaces.covered
	limits.known
	count(reasons) == 0
}

# METADATA
# description: Why the answer is no, as the codes of docs/reference/policy.md.
reasons := union({
	requests.reasons, subjects.reasons, roles.reasons,
	spaces.reasons, limits.reasons, switches.reasons,
	tools.reasons,
})

# METADATA
# description: How loud the record is. An operator's right that was asked for in vain is worth a look.
# scope: document
default audit := "info"

audit := "warning" if {
	not allow
	is_string(input.request.permission)
	startswith(input.request.permission, "Admin")
}
