package memgate.roles_test

import data.memgate.roles
import data.memgate.samples_test as samples

_cases := {
	"own permission": {"subject": {}, "missing": set()},
	"no permission": {"subject": {"permissions": []}, "missing": {"MemoryRead"}},
	"another permission": {"subject": {"permissions": ["MemoryWrite"]}, "missing": {"MemoryRead"}},
	"by role": {"subject": {"permissions": [], "roles": ["unheard-of", "reader"]}, "missing": set()},
	"by an unknown role": {"subject": {"permissions": [], "roles": ["unheard-of"]}, "missing": {"MemoryRead"}},
	"by a role that is no text": {"subject": {"permissions": [], "roles": [7]}, "missing": {"MemoryRead"}},
}

test_missing[note] if {
	some note, case in _cases
	request := samples.changed("subject", case.subject)
	roles.missing == case.missing with input as request
	roles.reasons == {"permission.missing" | some _ in case.missing} with input as request
}

test_defaults[permission] if {
	some permission in ["SystemHealth", "SystemMetrics"]
	request := object.union(samples.changed("subject", {"permissions": []}), {"request": {"permission": permission}})
	roles.granted with input as request
}

test_false_in_data_grants_nothing if {
	not roles.granted with input as samples.changed("subject", {"permissions": [], "roles": ["reader"]})
		with data.roles as {"reader": {"permissions": {"MemoryRead": false}}}
}

test_nobody if {
	roles.reasons == {"permission.missing"} with input as {}
	roles.missing == set() with input as {}
}
