# METADATA
# description: The tier of the caller and its limits, from data.
package memgate.limits

# METADATA
# description: Name of the tier; `none` for one that the data does not hold.
# scope: document
default tier := "none"

tier := _named if known

# METADATA
# description: The data holds the tier of the caller.
# scope: document
default known := false

known if {
	is_string(_named)
	is_array(data.tiers[_named].limits)
}

# METADATA
# description: Limits that the request is counted by.
# scope: document
default applied := []

applied := data.tiers[_named].limits if known

# METADATA
# description: Why the caller cannot be counted.
reasons contains "tier.unknown" if not known

_named := input.subject.tier if {
	not is_null(input.subject.tier)
} else := data.defaults.tier
