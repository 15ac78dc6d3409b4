-- Method, headers and body from the environment; one line of JSON at the end.
wrk.method = os.getenv("BENCH_METHOD") or "GET"
wrk.headers["Accept"] = "application/json"
wrk.headers["User-Agent"] = "bench/1"
wrk.headers["X-Request-Id"] = "0f8fad5b-d9cb-469f-a165-70867728950e"
for line in (os.getenv("BENCH_HEADERS") or ""):gmatch("[^\n]+") do
  local name, value = line:match("^([^:]+): (.*)$")
  wrk.headers[name] = value
end
if os.getenv("BENCH_BODY") then
  wrk.body = os.getenv("BENCH_BODY")
  wrk.headers["Content-Type"] = "application/json"
end
-- Requests that differ in one header are written once and sent in turn.
local list = {}
local at = 0
function init()
  for line in (os.getenv("BENCH_ROTATE") or ""):gmatch("[^\n]+") do
    local name, value = line:match("^([^:]+): (.*)$")
    wrk.headers[name] = value
    list[#list + 1] = wrk.format()
  end
  if #list > 0 then
    request = function()
      at = at % #list + 1
      return list[at]
    end
  end
end
function done(summary, latency)
  local e = summary.errors
  io.write(string.format('\n@@{"requests":%d,"us":%d,"statusErrors":%d,"socketErrors":%d,"p50Us":%d,"p99Us":%d}\n',
    summary.requests, summary.duration, e.status, e.connect + e.read + e.write + e.timeout,
    latency:percentile(50), latency:percentile(99)))
end
