package memgate.spaces_test

import data.memgate.samples_test as samples
import data.memgate.spaces

_cases := {
	"an own space": {"spaces": {}, "own": ["alpha"], "want": set()},
	"another space": {"spaces": {"ids": ["beta"]}, "own": ["alpha"], "want": {"space.forbidden"}},
	"one foreign of two": {"spaces": {"ids": ["alpha", "beta"]}, "own": ["alpha"], "want": {"space.forbidden"}},
	"a literal star": {"spaces": {"ids": ["*"]}, "own": ["alpha"], "want": {"space.forbidden"}},
	"no space touched": {"spaces": {"ids": []}, "own": [], "want": set()},
	"all for the owner of one": {
		"spaces": {"all": true, "ids": []},
		"own": ["alpha"],
		"want": {"space.all-required"},
	},
	"all with the star": {"spaces": {"all": true, "ids": []}, "own": ["*"], "want": set()},
	"any with the star": {"spaces": {"ids": ["beta"]}, "own": ["*"], "want": set()},
	"unknown with the star": {
		"spaces": {"ids": ["nope"], "unknown": ["nope"]},
		"own": ["*"],
		"want": {"space.unknown"},
	},
	"unknown and foreign": {
		"spaces": {"ids": ["nope"], "unknown": ["nope"]},
		"own": ["alpha"],
		"want": {"space.forbidden", "space.unknown"},
	},
	"an unclear extent counts as all": {"spaces": {"all": null}, "own": ["alpha"], "want": {"space.all-required"}},
}

test_reasons[note] if {
	some note, case in _cases
	request := object.union(samples.changed("spaces", case.spaces), {"subject": {"spaces": case.own}})
	spaces.reasons == case.want with input as request
}

test_creates_an_unknown_space if {
	request := object.union(
		samples.asks("space:create", "SpaceCreate"),
		{"spaces": {"ids": ["nope"], "unknown": ["nope"]}},
	)
	spaces.reasons == set() with input as request
}

test_nobody if {
	spaces.reasons == {"space.all-required", "space.unknown"} with input as {}
	not spaces.covered with input as {}
}
