# METADATA
# description: Who calls. Credentials are verified before; this is the second look.
package memgate.subjects

# METADATA
# description: The caller proved who it is.
# scope: document
default named := false

named if {
	is_string(input.subject.kind)
	input.subject.kind != "anonymous"
	is_string(input.subject.id)
	input.subject.id != ""
}

# METADATA
# description: The credential is inside its time. Types are checked first, as Rego orders a number before any text.
# scope: document
default current := false

current if is_null(input.subject.expires_at)

current if {
	is_number(input.subject.expires_at)
	is_number(input.now)
	input.now < input.subject.expires_at
}

# METADATA
# description: Why this caller gets nothing.
# scope: document
reasons contains "subject.anonymous" if not named

reasons contains "subject.expired" if not current
