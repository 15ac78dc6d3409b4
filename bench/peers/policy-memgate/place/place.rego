# METADATA
# description: What is asked, and where - the space, the resource and what the verb needs there.
package memgate.place

# METADATA
# description: The one space of the request; empty where there is none, or more than one.
# scope: document
default space_id := ""

space_id := input.spaces.ids[0] if {
	input.spaces.all == false
	count(input.spaces.ids) == 1
}

# METADATA
# description: What the data says of that space.
# scope: document
default space := {}

space := data.access.spaces[space_id]

# METADATA
# description: Words of the route's name, such as docs and write.
# scope: document
default words := []

words := split(input.request.route, ".")

# METADATA
# description: What the resource and the method need.
# scope: document
default route := {"permission": "", "writes": false, "audit": "full"}

route := data.access.routes[words[0]][input.request.method]
