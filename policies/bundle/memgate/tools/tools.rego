# METADATA
# description: Tools of MCP servers against the lists of roles and callers.
package memgate.tools

# METADATA
# description: A role that has a list reaches what is on it, and whatever holds no content.
# scope: document
default reached(_) := false

reached(role) if not data.tools.roles[role]

reached(role) if data.tools.roles[role][_name] == true

reached(role) if {
	data.tools.roles[role]
	_bare
}

# METADATA
# description: Why the tool is refused.
# scope: document
reasons contains "tool.forbidden" if {
	data.tools.subjects[input.subject.id]
	not data.tools.subjects[input.subject.id][_name] == true
	not _bare
}

reasons contains "tool.blocked" if data.tools.blocked[_name] == true

reasons contains "tool.argument" if {
	some argument, values in data.tools.arguments[input.request.tool]
	not _listing
	not _accepted(argument, values)
}

# What is not a tool goes by what it does.
_name := input.request.tool if is_string(input.request.tool)

_name := input.request.action if not is_string(input.request.tool)

# Opening a session or asking for a list shows no content.
_bare if {
	not is_string(input.request.tool)
	input.request.class in {"metadata", "metrics"}
}

# No caller can send a parameter of this name.
_listing if input.request.params["mcp:listing"] == "yes"

_accepted(argument, values) if values[input.request.params[concat(":", ["argument", argument])]] == true
