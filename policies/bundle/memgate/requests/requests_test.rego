package memgate.requests_test

import data.memgate.requests
import data.memgate.samples_test as samples

_wrong := {
	"now": {"now": "x"},
	"switch": {"switches": {"readonly": "no"}},
	"action": {"request": {"action": null}},
	"permission": {"request": {"permission": ["MemoryRead"]}},
	"extent": {"spaces": {"all": 0}},
	"spaces": {"spaces": {"ids": "alpha"}},
	"space in the list": {"spaces": {"ids": [null]}},
	"unknown spaces": {"spaces": {"unknown": null}},
	"subject": {"subject": null},
	"roles": {"subject": {"roles": {"admin": true}}},
	"own spaces": {"subject": {"spaces": ["alpha", null]}},
	"tier": {"subject": {"tier": 7}},
	"expiry": {"subject": {"expires_at": "never"}},
}

test_refuses[note] if {
	some note, patch in _wrong
	requests.reasons == {"input.malformed"} with input as object.union(samples.read, patch)
}

test_accepts if requests.reasons == set() with input as samples.read

test_accepts_null_for_absent if {
	requests.well_formed with input as samples.changed("subject", {"tier": null, "expires_at": null})
}
