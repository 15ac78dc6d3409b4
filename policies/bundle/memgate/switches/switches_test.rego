package memgate.switches_test

import data.memgate.samples_test as samples
import data.memgate.switches

_changing_permissions := {
	"MemoryWrite", "MemoryDelete", "SpaceCreate", "SpaceDelete", "SystemShutdown", "AdminUpstream",
}

_changing_actions := {
	"memory:write", "memory:delete", "graph:write", "space:create", "space:delete", "system:shutdown",
}

_thrown := {"switches": {"readonly": true}}

test_stops_changing_permissions[permission] if {
	some permission in _changing_permissions
	request := object.union(samples.asks("tools/call:x", permission), _thrown)
	switches.reasons == {"switch.readonly"} with input as request
}

test_stops_changing_actions[action] if {
	some action in _changing_actions
	request := object.union(samples.asks(action, "MemoryRead"), _thrown)
	switches.reasons == {"switch.readonly"} with input as request
}

test_lets_reading_pass[permission] if {
	some permission in ["MemoryRead", "SystemHealth", "AdminIncident", "AdminConfig"]
	switches.reasons == set() with input as object.union(samples.asks("memory:read", permission), _thrown)
}

test_stops_nothing_when_off if switches.reasons == set() with input as samples.asks("memory:write", "MemoryWrite")

test_unclear_is_on if {
	request := object.union(samples.asks("memory:write", "MemoryWrite"), {"switches": {"readonly": "no"}})
	switches.reasons == {"switch.readonly"} with input as request
}
