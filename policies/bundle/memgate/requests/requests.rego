# METADATA
# description: The form of the input. The gateway always sends this form; anything else is refused.
package memgate.requests

# METADATA
# description: Every key that a rule reads is there, with its type.
# scope: document
default well_formed := false

well_formed if {
	is_number(input.now)
	is_boolean(input.switches.readonly)
	is_string(input.request.action)
	is_string(input.request.permission)
	_spaces
	_subject
}

# METADATA
# description: A malformed input is a no, whatever the other rules make of it.
reasons contains "input.malformed" if not well_formed

_spaces if {
	is_boolean(input.spaces.all)
	_texts(input.spaces.ids)
	_texts(input.spaces.unknown)
}

_subject if {
	is_string(input.subject.kind)
	is_string(input.subject.id)
	_texts(input.subject.roles)
	_texts(input.subject.permissions)
	_texts(input.subject.spaces)
	_text_or_null(input.subject.tier)
	_number_or_null(input.subject.expires_at)
}

_texts(list) if {
	is_array(list)
	every item in list { is_string(item) }
}

_text_or_null(value) if is_null(value)

_text_or_null(value) if is_string(value)

_number_or_null(value) if is_null(value)

_number_or_null(value) if is_number(value)
