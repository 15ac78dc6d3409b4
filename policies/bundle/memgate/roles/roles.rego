# METADATA
# description: Permissions of the caller - its own, those of its roles, and those that everyone verified has.
package memgate.roles

import data.memgate.tools

# METADATA
# description: The caller holds the permission of the route.
# scope: document
default granted := false

granted if {
	is_string(input.request.permission)
	_held
}

# METADATA
# description: Names of the permissions that were needed and are not held.
missing contains input.request.permission if {
	is_string(input.request.permission)
	not granted
}

# METADATA
# description: Why the caller's rights do not suffice.
reasons contains "permission.missing" if not granted

_held if input.request.permission in input.subject.permissions

_held if {
	some role in input.subject.roles
	is_string(role)
	data.roles[role].permissions[input.request.permission] == true
	tools.reached(role)
}

_held if data.defaults.permissions[input.request.permission] == true
