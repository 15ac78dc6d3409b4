// What happened behind each code, and what to do about it. docs/reference/errors.md is made of this and of
// src/model/codes.ts; a code without an entry fails the build of the documents.
export const fixes = {
  'gate.malformed': [
    'The bytes are not a request of HTTP/1.1 that has one meaning only.',
    'Send plain HTTP/1.1 with an ordinary client. Behind a proxy, check that it does not pass HTTP/2 through.',
  ],
  'gate.target': [
    'The path or the query holds something that servers read in different ways: `//`, `.` or `..` segments, `;`, `\\`, encoded slashes, dots, percent signs or NUL, or a character outside the accepted set.',
    'Send the path in its plain form. Encode other characters once, as UTF-8.',
  ],
  'gate.header': [
    'A header is not in an accepted form: twice where one is wanted (a credential, a space, `User-Agent`, `Range`, `If-Match` …), an alias of a protected name (`X_Auth_User`), bytes above ASCII where a decision reads it, or named by `Connection`.',
    'Send each header once, in ASCII. Do not send headers whose names differ from protected ones by punctuation only.',
  ],
  'gate.framing': [
    'The length of the body is not told exactly once: both `Content-Length` and `Transfer-Encoding`, two lengths, or a coding other than `chunked`.',
    'Let the HTTP client set the framing; do not set these headers by hand.',
  ],
  'gate.host': [
    'There is no `Host` header, more than one, or one that is not HOST or HOST:PORT.',
    'Send one plain `Host`.',
  ],
  'gate.host-unknown': [
    'The `Host` is not in `gateway.allowed_hosts`.',
    'Use a served name, or add this one to `gateway.allowed_hosts`, with its port where clients send it.',
  ],
  'gate.version': ['The version of HTTP is not 1.1 (or 1.0 without a body).', 'Use HTTP/1.1.'],
  'gate.method': [
    'The method is one that a gateway does not carry, such as CONNECT or TRACE.',
    'Use a method of the API.',
  ],
  'gate.expectation': ['`Expect` asks for something other than `100-continue`.', 'Leave `Expect` out.'],
  'gate.upgrade': [
    'The request asks for a WebSocket where none is taken, or not in the one accepted form: GET, no body, `Connection: Upgrade`, `Upgrade: websocket`, version 13, a key of 16 bytes, and nothing sent behind it before the answer. Or a route that is a WebSocket was asked for without an upgrade.',
    'Open WebSockets on routes with `stream: websocket` only (`memgate profile routes NAME` lists them), with an ordinary client.',
  ],
  'gate.headers-too-large': [
    'The head has more than 100 header lines, or more than 16 KiB.',
    'Send fewer and shorter headers; cookies are not used here.',
  ],
  'gate.timeout': [
    'The head or the body did not arrive in time, or came slower than `gateway.body_min_bytes_per_second`.',
    'Check the network of the client. For slow links raise `gateway.headers_timeout_ms` or `gateway.body_timeout_ms`.',
  ],
  'gate.body-too-large': [
    'The body that the decision has to read is larger than `gateway.inspect_max_bytes`.',
    'Send less at a time, or raise `gateway.inspect_max_bytes`.',
  ],
  'gate.overloaded': [
    'Bodies and WebSocket messages that wait for a decision hold more than `gateway.inspect_max_bytes_in_progress` in sum. A tunnel is closed with 1013.',
    'Try again after `Retry-After`. If it happens often, raise the limit and the memory of the process.',
  ],
  'pressure.full': [
    'As many requests are in progress as `gateway.max_requests_in_progress` allows. Nothing of this one was read, and its connection was closed.',
    'Try again after `Retry-After`. Operators: look at `upstream_pending` and at the time that the memory server takes before raising the bound.',
  ],
  'pressure.share': [
    'This caller, or while it is not known its address, has as many requests in progress as there are places left for all others.',
    'Send fewer at a time. The detail of the record names the caller. Where one caller is all there is, raise `gateway.max_requests_in_progress`: it gets half.',
  ],
  'pressure.late': [
    'The event loop has been later than `gateway.max_loop_delay_ms` for half a second: a part of the new requests is turned away until it catches up. Nothing of this one was read.',
    'Try again after `Retry-After`. Operators: the process has too little CPU for what is asked of it; give it more, or let limits refuse earlier.',
  ],
  'pressure.memory': [
    'The process is near the end of its memory: `gateway.max_rss_bytes`, or 85 % of the limit of the container, or of the heap that V8 may use. A few requests at a time still pass.',
    'Try again after `Retry-After`. Operators: give it more memory, or lower the bounds that docs/explanation/overload.md lists.',
  ],
  'identify.many-credentials': [
    'The request has more than one credential, such as `Authorization` and `X-API-Key`.',
    'Send one of them, once.',
  ],
  'identify.unauthenticated': [
    'There is no credential, or it does not hold: unknown, wrong, expired, not valid yet or revoked. The caller is never told which; the audit log tells.',
    'Send `Authorization: Bearer KEY`. Operators: look for the decision id of the answer in the audit log; `memgate auth check-key` explains one key.',
  ],
  'identify.too-many-failures': [
    'This address failed too often within a minute, so that new credentials of it are not checked for now. Credentials that were verified before still pass.',
    'Fix the client that sends a wrong key and wait for `Retry-After`. Limits: `keys.failures_per_minute`, `keys.failures_per_minute_per_key`.',
  ],
  'identify.busy': [
    'More new credentials wait for their hash to be computed than `keys.hash_queue` allows.',
    'Try again after `Retry-After`. If it happens after every start, raise `keys.hash_queue` or give the process more cores.',
  ],
  'resolve.unknown-route': [
    'The profile of the memory server has no such path. What a profile does not list is denied.',
    'Check the path. If the memory server really has it, add the route to the profile.',
  ],
  'resolve.method': ['The path is known, with other methods: see `Allow`.', 'Use one of the methods in `Allow`.'],
  'resolve.content-type': [
    'A body that the decision reads must be `application/json`, on routes of forms `application/x-www-form-urlencoded`, in UTF-8 and without `Content-Encoding`.',
    'Set the `Content-Type` that the route accepts and send the body uncompressed.',
  ],
  'resolve.body': [
    'The body is not one strict JSON document (broken, a name twice, a lone surrogate, too deep, or bytes after its end), not a strict form, or it holds a key that the profile refuses.',
    'Send what a JSON library writes. Names must be unique within an object. The profile lists refused keys in `refuse_body_keys`.',
  ],
  'resolve.query': [
    'The query holds a parameter that the route does not accept in this form; where it holds JSON text, that text is not one strict object of accepted keys.',
    'Leave it out, or send it once and plainly encoded.',
  ],
  'space.malformed': [
    'A place of the request that names the space holds something that is no space name of this server, or holds it twice; or its key stands where it is no carrier, such as inside a filter.',
    'Send a name that fits the pattern of the profile, once, and as plain text at its own place.',
  ],
  'space.conflict': [
    'Places of the request (headers, query, path, body) name different spaces, or the route always works on another space.',
    'Name the space in one place, or the same one in all.',
  ],
  'space.absent': [
    'The request names no space, and the profile wants one; or it would take the only space of the key, and the key has not exactly one.',
    'Name the space, for Engram in `X-Memory-Space`.',
  ],
  'space.unknown': [
    'Nobody knows this space: it is not in policy data, no live key grants it by name, and it was not created through the gateway.',
    'Check the spelling. To make it, use the route that creates spaces, with `SpaceCreate`.',
  ],
  'object.malformed': [
    'The id of the object in the path has another form than the profile accepts: servers that read one id in several spellings would else be asked about one and obey the other.',
    'Send the id as the memory server gave it out: in lower case, without braces or prefixes.',
  ],
  'object.unknown': [
    'The memory server does not know the object, does not say its space, or it is in a space that this caller may not use: the caller is not told which.',
    'Check the id and the space. Operators: the record of the refusal or of the outcome tells the reason.',
  ],
  'mcp.batch': [
    'The body is an array of JSON-RPC messages. Servers run what is in it one after the other, and each would need a decision of its own; revisions from 2025-06-18 on have no batches.',
    'Send one message per request.',
  ],
  'mcp.message': [
    'The body is no JSON-RPC 2.0 request or notification in its strict form: keys other than `jsonrpc`, `id`, `method` and `params` (or in another case), an `id` that is neither a text nor an integer, a request without one, a notification with one.',
    'Use an ordinary MCP client. Answers to requests of the server (sampling, elicitation) are not passed on.',
  ],
  'mcp.method': [
    'The `mcp` section of the profile does not list this method.',
    'Add it under `mcp.methods`, or `mcp.resources`, `mcp.prompts`, `mcp.completion`, with the right that it needs.',
  ],
  'mcp.params': [
    'Parameters of the message are not as the protocol or the rules of the tool want them. The detail of the record says which.',
    'Compare the arguments with the rules of the tool in the profile.',
  ],
  'mcp.unlisted': [
    'The profile does not list this tool, resource or prompt; lists do not show it either.',
    'Add it to the `mcp` section of the profile, with the right that it needs.',
  ],
  'mcp.header-mismatch': [
    '`Mcp-Method`, `Mcp-Name`, `Mcp-Param-…` or `MCP-Protocol-Version` does not say what the body says, or is missing where revision 2026-07-28 wants it. The body is what servers act on; a header that says something else is meant for somebody on the way.',
    'Let the client library set these headers. `error.data.mismatch` names the header and the place in the body.',
  ],
  'mcp.version': [
    'The header, the `_meta` of the body or `initialize` names a revision of MCP that the profile does not list.',
    'Use one of `error.data.supported`, or add the revision to `mcp.versions`.',
  ],
  'mcp.session': [
    'The session id is unknown here, its time is over, or another caller opened it: which of these is not told.',
    'Open a new session, as clients do by themselves. After a restart of the gateway all sessions are opened anew.',
  ],
  'mcp.origin': [
    'The request comes from a web page: its `Origin` is not in `gateway.allowed_origins`.',
    'Add the origin if that page is to be let in. Clients that are no browsers send no `Origin`.',
  ],
  'authorize.denied': [
    'The policy says no. `missing` names the rights that would be needed; the reasons are in the audit record.',
    'Ask for a key with that right and space. Operators: find the decision id in the audit log; it holds input and reasons.',
  ],
  'policy.undefined': [
    'The policy has no answer at all for this request, which counts as a no.',
    'Operators: the bundle lacks a total `decision`; check it with `npm run policies`.',
  ],
  'authorize.too-large': [
    'What the policy would have to look at (path parameters, spaces, headers) is larger than 16 KiB.',
    'Name fewer spaces or send shorter headers.',
  ],
  'limit.exceeded': [
    'A limit of the tier, or the limit of the whole system, has no room now. `RateLimit` and `X-RateLimit-*` tell where it stands.',
    'Wait for `Retry-After`, spread the requests, or ask for a higher tier. Tiers are policy data.',
  ],
  'lease.revoked': [
    'The key was revoked or removed, or the static token replaced, while a stream, a tunnel or a long request of its caller was under way.',
    'Connect again with a credential that holds. A stream of events says so in its last event (`memgate-closed`), a WebSocket in its close frame (1008).',
  ],
  'lease.expired': [
    'The key expired, or the grace period of a rotated one was over, while a stream, a tunnel or a long request was under way.',
    'Connect again with the new key, ideally before the old one ends.',
  ],
  'lease.denied': [
    'The policy was asked again about a stream, a tunnel or a long request (after a reload, a change of the rights of the key, or `streams.review_interval_ms`) and says no by now.',
    'Ask for the right that the answer names, or that the audit log tells under the id. A reload that was not meant so can be undone.',
  ],
  'lease.shutdown': [
    'The process stops, and this stream had not ended by itself when `drain_ms` was nearly over.',
    'Connect again, after a moment.',
  ],
  'tunnel.protocol': [
    'A frame of the WebSocket breaks RFC 6455: not masked, a reserved bit, an unknown kind, a split control frame, a length in a long form, or something behind a close frame. The tunnel is closed with 1002.',
    'Use an ordinary WebSocket client; extensions are not agreed on unless the profile allows them.',
  ],
  'tunnel.message': [
    'On a route whose messages are decided a message was binary (closed with 1003), not one strict JSON object, or the first one was not the one that names the space (1008).',
    'Send the message that names the space first, as JSON text, each key once.',
  ],
  'tunnel.too-large': [
    'A WebSocket message that is held for a decision is over `streams.message_max_bytes`, or in more than 1,024 frames. The tunnel is closed with 1009.',
    'Send smaller messages. Operators: raise `streams.message_max_bytes`; each open tunnel may hold that much.',
  ],
  'tunnel.first': [
    'The first message of a WebSocket, which decides, did not come within `streams.first_message_timeout_ms`.',
    'Send it as soon as the WebSocket is open.',
  ],
  'limit.cost': [
    'The request costs more than the limit can ever hold, so that waiting does not help.',
    'Operators: raise the burst of the tier above the cost of the route.',
  ],
  'policy.expired': [
    'The `not_after` of the policy bundle has passed, and `policy.verification.enforce_not_after` is true. Nothing was forwarded.',
    'Operators: sign the policy anew with a higher serial and a later `not_after`, and reload with `memgate reload`; the admin listener refuses requests as well.',
  ],
  'policy.failed': [
    'The policy broke: it threw, ran out of memory, or answered in an unknown form. Nothing was forwarded.',
    'Operators: the log names the cause. Go back to the last good bundle with a reload; the metric of policy errors counts these.',
  ],
  'record.unavailable': [
    'The decision could not be written to disk, so nothing was forwarded: disk full, `audit.max_bytes` reached, or a failing device.',
    'Operators: make room or archive old segments. Service resumes by itself as soon as a record can be written.',
  ],
  'store.unavailable': [
    'The key store (SQLite in `data_dir`) cannot be read or written.',
    'Operators: check disk space and permissions of `data_dir`; the log names the error.',
  ],
  'upstream.unreachable': [
    'No connection to the memory server: not started, wrong `upstream.url`, or refused.',
    'Operators: check `upstream.url` and `/upstream/live` on the probes listener.',
  ],
  'upstream.invalid': [
    'The answer of the memory server is not well-formed HTTP/1.1.',
    'Operators: check what listens at `upstream.url`.',
  ],
  'upstream.aborted': [
    'The memory server closed the connection in the midst of an answer.',
    'Operators: look into the log of the memory server at that time. A request that changes something may have taken effect.',
  ],
  'upstream.credential': [
    'The memory server refused the credential that the gateway adds.',
    'Operators: renew the secret that `upstream.credential` points to. A changed file is taken within two seconds, without a reload; a changed environment variable needs a restart.',
  ],
  'upstream.no-credential': [
    'The memory server wants a credential of its own for each space, and there is none for this one: no entry in `upstream.credential.by_space` and no default; or the request reaches several spaces or all, and a minted token has no `admin_subject`. Nothing was forwarded.',
    'Operators: add the space to `upstream.credential.by_space`, or set `upstream.credential.mint.admin_subject` where somebody has to reach every space. Callers: name one space.',
  ],
  'upstream.unchecked': [
    'An answer that has to be checked or filtered, or the answer to a look-up, could not be read: not JSON, encoded, another status, no list where the profile says, or over a cap of `upstream.objects`.',
    "Look at the detail in the process log or the record. Compare the rule of the route's `object` or `filter` with what the memory server answers, and raise the cap where answers are long.",
  ],
  'upstream.timeout': [
    'The memory server did not answer within `upstream.headers_timeout_ms` or `upstream.deadline_ms`.',
    'Try again if the request changes nothing. Operators: raise the limit where the server is known to be slow.',
  ],
  'upstream.busy': [
    'All `upstream.connections` are in use, and `upstream.queue` requests wait already, or as many of this caller as there are places left. The same for streams and `upstream.stream_connections`, `upstream.streams_per_subject`. The detail of the record tells which.',
    'Try again after `Retry-After`. Operators: raise both if the memory server can take more.',
  ],
  'self.bug': [
    'Something happened that should be impossible. Nothing was forwarded after it.',
    'Report it with the decision id and the log line of that time.',
  ],
};
