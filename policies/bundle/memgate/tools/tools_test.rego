package memgate.tools_test

import data.memgate.samples_test as samples
import data.memgate.tools

_limited := {
	"roles": {"note-taker": {"read_graph": true, "resources/read": true}, "nobody": {}},
	"subjects": {"k2": {"read_graph": true}},
	"blocked": {"delete_entities": true},
	"arguments": {"write_note": {"directory": {"notes": true}}},
}

_call(tool, fields) := object.union(
	samples.changed("request", {"tool": tool, "action": concat(":", ["tools/call", tool]), "class": "content"}),
	fields,
)

_other(action, class) := samples.changed("request", {"tool": null, "action": action, "class": class})

test_reached[note] if {
	some note, case in {
		"a role without a list": {"role": "reader", "request": _call("any", {}), "want": true},
		"a tool on the list": {"role": "note-taker", "request": _call("read_graph", {}), "want": true},
		"a tool that is not": {"role": "note-taker", "request": _call("search_nodes", {}), "want": false},
		"an empty list": {"role": "nobody", "request": _call("read_graph", {}), "want": false},
		"other content on the list": {"role": "note-taker", "request": _other("resources/read", "content"), "want": true},
		"other content": {"role": "note-taker", "request": _other("memory:read", "content"), "want": false},
		"a list of tools": {"role": "nobody", "request": _other("tools/list", "metadata"), "want": true},
		"a tool of metadata": {
			"role": "nobody",
			"request": object.union(_call("list_projects", {}), {"request": {"class": "metadata"}}),
			"want": false,
		},
		"nothing": {"role": "nobody", "request": {}, "want": false},
	}
	tools.reached(case.role) == case.want with input as case.request with data.tools as _limited
}

test_reasons[note] if {
	some note, case in {
		"nothing against it": {"request": _call("search_nodes", {}), "want": set()},
		"the caller's list": {"request": _call("read_graph", {"subject": {"id": "k2"}}), "want": set()},
		"not on the caller's list": {"request": _call("search_nodes", {"subject": {"id": "k2"}}), "want": {"tool.forbidden"}},
		"the caller opens a session": {
			"request": object.union(_other("initialize", "metadata"), {"subject": {"id": "k2"}}),
			"want": set(),
		},
		"other content of the caller": {
			"request": object.union(_other("memory:read", "content"), {"subject": {"id": "k2"}}),
			"want": {"tool.forbidden"},
		},
		"blocked for all": {"request": _call("delete_entities", {}), "want": {"tool.blocked"}},
		"an accepted argument": {
			"request": _call("write_note", {"request": {"params": {"argument:directory": "notes"}}}),
			"want": set(),
		},
		"another argument": {
			"request": _call("write_note", {"request": {"params": {"argument:directory": "private"}}}),
			"want": {"tool.argument"},
		},
		"without the argument": {"request": _call("write_note", {"request": {"params": {}}}), "want": {"tool.argument"}},
		"in a list": {
			"request": _call("write_note", {"request": {"params": {"mcp:listing": "yes"}}}),
			"want": set(),
		},
	}
	tools.reasons == case.want with input as case.request with data.tools as _limited
}

test_without_data if {
	tools.reasons == set() with input as _call("any", {}) with data.tools as {}
	tools.reached("reader") with input as _call("any", {}) with data.tools as {}
}
