# METADATA
# description: Spaces of the request against the spaces of the caller - a set or all, never a guess.
package memgate.spaces

# METADATA
# description: Every space that the request reaches belongs to the caller.
# scope: document
default covered := false

covered if _everywhere

covered if {
	_listed
	count(_foreign) == 0
}

# METADATA
# description: Why the spaces of the request are refused.
# scope: document
reasons contains "space.all-required" if {
	not _listed
	not _everywhere
}

reasons contains "space.forbidden" if {
	_listed
	not covered
}

# On some servers reading an unknown name creates it, so that even the right to every space does not help.
reasons contains "space.unknown" if {
	not _known
	not _creating
}

_everywhere if "*" in input.subject.spaces

# Only a stated false narrows the request to its list: anything else counts as all.
_listed if input.spaces.all == false

_foreign := {id | some id in input.spaces.ids} - {id | some id in input.subject.spaces}

_known if count(input.spaces.unknown) == 0

_creating if input.request.action == "space:create"
