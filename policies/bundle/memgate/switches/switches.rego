# METADATA
# description: Switches that operators throw for everyone.
package memgate.switches

# METADATA
# description: Why everyone is stopped at present.
reasons contains "switch.readonly" if {
	not _writable
	_changes
}

# Only a stated false leaves the switch off.
_writable if input.switches.readonly == false

_changes if {
	is_string(input.request.action)
	data.changes.actions[input.request.action] == true
}

_changes if {
	is_string(input.request.permission)
	data.changes.permissions[input.request.permission] == true
}
