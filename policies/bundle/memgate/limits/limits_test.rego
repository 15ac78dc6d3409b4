package memgate.limits_test

import data.memgate.limits
import data.memgate.samples_test as samples

_tiers := {
	"free": {"rate": 60, "burst": 10},
	"premium": {"rate": 300, "burst": 50},
	"pro": {"rate": 1000, "burst": 100},
	"enterprise": {"rate": 5000, "burst": 500},
}

_bucket := {"id": "tier", "key": ["subject"], "algorithm": "token_bucket", "per": 60, "cost": 1}

test_tiers[tier] if {
	some tier, figures in _tiers
	request := samples.changed("subject", {"tier": tier})
	limits.tier == tier with input as request
	limits.applied == [object.union(_bucket, figures)] with input as request
}

test_unlimited if {
	request := samples.changed("subject", {"tier": "unlimited"})
	limits.known with input as request
	limits.tier == "unlimited" with input as request
	limits.applied == [] with input as request
}

test_no_tier_is_the_default_tier if limits.tier == "free" with input as samples.changed("subject", {"tier": null})

test_unknown[tier] if {
	some tier in ["gold", "", 7, ["free"], false]
	request := samples.changed("subject", {"tier": tier})
	limits.reasons == {"tier.unknown"} with input as request
	limits.tier == "none" with input as request
	limits.applied == [] with input as request
}

test_default_tier_needs_data if {
	request := samples.changed("subject", {"tier": null})
	limits.reasons == {"tier.unknown"} with input as request with data.defaults as {}
}
