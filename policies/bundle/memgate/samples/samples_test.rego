# METADATA
# description: Requests that the tests of the other packages start from.
package memgate.samples_test

# METADATA
# description: A read of an own space, allowed.
read := {
	"now": 1790000000,
	"switches": {"readonly": false},
	"request": {"action": "memory:read", "permission": "MemoryRead"},
	"spaces": {"all": false, "ids": ["alpha"], "unknown": [], "explicit": true},
	"subject": {
		"kind": "api_key", "id": "k1", "roles": [], "permissions": ["MemoryRead"],
		"spaces": ["alpha"], "tier": "pro", "expires_at": 1790600000,
	},
}

# METADATA
# description: The read with other values in some fields of one section.
changed(section, fields) := object.union(read, {section: object.union(read[section], fields)})

# METADATA
# description: A request for an action by somebody who holds the permission for it, everywhere.
asks(action, permission) := object.union(read, {
	"request": {"action": action, "permission": permission},
	"subject": {"permissions": [permission], "spaces": ["*"]},
})
