package memgate.authz_test

import data.memgate.authz
import data.memgate.samples_test as samples

_allowed := {
	"allow": true, "reasons": set(), "missing": set(), "tier": "pro",
	"limits": [{
		"id": "tier", "key": ["subject"], "algorithm": "token_bucket",
		"rate": 1000, "per": 60, "burst": 100, "cost": 1,
	}],
	"obligations": {"audit": "info", "headers": {}, "mask": []},
}

test_allows if authz.decision == _allowed with input as samples.read

_one_reason := {
	"permission.missing": samples.changed("subject", {"permissions": []}),
	"space.forbidden": samples.changed("spaces", {"ids": ["beta"]}),
	"space.all-required": samples.changed("spaces", {"all": true, "ids": []}),
	"space.unknown": samples.changed("spaces", {"unknown": ["alpha"]}),
	"subject.expired": samples.changed("subject", {"expires_at": 1}),
	"subject.anonymous": samples.changed("subject", {"kind": "anonymous"}),
	"tier.unknown": samples.changed("subject", {"tier": "gold"}),
	"switch.readonly": object.union(
		samples.asks("memory:write", "MemoryWrite"),
		{"switches": {"readonly": true}},
	),
	"input.malformed": object.union(samples.read, {"now": null, "subject": {"expires_at": null}}),
}

test_one_reason_is_a_no[reason] if {
	some reason, request in _one_reason
	decision := authz.decision with input as request
	decision.reasons == {reason}
	decision.allow == false
}

test_missing_names_the_permission if {
	decision := authz.decision with input as samples.changed("subject", {"permissions": []})
	decision.missing == {"MemoryRead"}
}

test_vain_request_of_an_operator_is_a_warning if {
	decision := authz.decision with input as samples.changed("request", {"permission": "AdminConfig"})
	not decision.allow
	decision.obligations.audit == "warning"
}

_hostile := [
	{}, [], "s", null, 0, false,
	{"now": "x", "switches": [], "request": 1, "spaces": "alpha", "subject": {"roles": {"a": 1}, "spaces": "*"}},
	{"request": {"permission": {"x": 1}, "action": []}, "subject": {"roles": [[]], "tier": {}}},
]

_total(decision) if {
	decision.allow == false
	count(decision.reasons) > 0
	is_set(decision.missing)
	is_string(decision.tier)
	is_array(decision.limits)
	decision.obligations == {"audit": "info", "headers": {}, "mask": []}
}

test_total_on_any_input[note] if {
	some note, value in _hostile
	decision := authz.decision with input as value
	_total(decision)
}

test_total_without_data if {
	decision := authz.decision with input as samples.read
		with data.tiers as {}
		with data.roles as {}
		with data.defaults as {}
		with data.changes as {}
	_total(decision)
	decision.reasons == {"tier.unknown"}
}
