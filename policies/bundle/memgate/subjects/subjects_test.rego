package memgate.subjects_test

import data.memgate.samples_test as samples
import data.memgate.subjects

_cases := {
	"a key in its time": {"subject": {}, "want": set()},
	"a key without end": {"subject": {"expires_at": null}, "want": set()},
	"expired this second": {"subject": {"expires_at": 1790000000}, "want": {"subject.expired"}},
	"a text is no time to come": {"subject": {"expires_at": "zzz"}, "want": {"subject.expired"}},
	"anonymous": {"subject": {"kind": "anonymous"}, "want": {"subject.anonymous"}},
	"a kind that is no text": {"subject": {"kind": null}, "want": {"subject.anonymous"}},
	"nameless": {"subject": {"id": ""}, "want": {"subject.anonymous"}},
}

test_reasons[note] if {
	some note, case in _cases
	subjects.reasons == case.want with input as samples.changed("subject", case.subject)
}

test_nobody if subjects.reasons == {"subject.anonymous", "subject.expired"} with input as {}
