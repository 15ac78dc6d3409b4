# METADATA
# description: Who calls. memgate has verified the credential; its owner is the name of the key in the data.
package memgate.caller

import data.memgate.place

# METADATA
# description: What the data says of the key.
# scope: document
default key := {}

key := data.access.keys[input.subject.owner]

# METADATA
# description: Name of the principal behind the key.
# scope: document
default principal_id := ""

principal_id := key.principal

# METADATA
# description: What the data says of the principal.
# scope: document
default principal := {}

principal := data.access.principals[principal_id]

# METADATA
# description: The tier of the key.
# scope: document
default tier := "none"

tier := key.tier

# METADATA
# description: Limits that the request is counted by.
# scope: document
default limits := []

limits := data.tiers[tier].limits

# METADATA
# description: Roles in the space - the principal's own, those of its groups, and what a public space gives to everyone.
roles contains principal.spaces[place.space_id]

roles contains role if {
	some group in principal.groups
	role := data.access.groups[group].spaces[place.space_id]
}

roles contains "reader" if place.space.visibility == "public"

# METADATA
# description: A role holds the permission that the route needs.
# scope: document
default granted := false

granted if {
	some role in roles
	data.access.roles[role].permissions[place.route.permission]
}

# A role that holds everywhere
granted if data.access.roles[principal.global_role].permissions[place.route.permission]

# METADATA
# description: The key may be used for this permission.
# scope: document
default in_scope := false

in_scope if count(key.scopes) == 0

in_scope if place.route.permission in key.scopes

# METADATA
# description: The key may be used from this address.
# scope: document
default in_network := false

in_network if count(key.cidrs) == 0

in_network if {
	some cidr in key.cidrs
	net.cidr_contains(cidr, input.client.address)
}
