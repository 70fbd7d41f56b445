-- SPDX-License-Identifier: Apache-2.0
-- One kind of request, over and over, for wrk. The environment says which; %d in path and body becomes a number below
-- BENCH_KEYS. The requests are made before the clock starts, so that making them costs nothing.
local requests = {}
local at = 0
local threads = 0

function setup(thread)
    thread:set("number", threads)
    threads = threads + 1
end

function init(_)
    local keys = tonumber(os.getenv("BENCH_KEYS"))
    local headers = { ["Content-Type"] = "application/json" }
    local token = os.getenv("BENCH_TOKEN")
    if token ~= "" then
        headers["X-Vault-Token"] = token
    end
    for key = 0, keys - 1 do
        local path = os.getenv("BENCH_PATH"):gsub("%%d", key)
        local body = os.getenv("BENCH_BODY"):gsub("%%d", key)
        requests[key] = wrk.format(os.getenv("BENCH_METHOD"), path, headers, body ~= "" and body or nil)
    end
    -- Each thread begins elsewhere: so far from the one before it, and from a first one.
    local apart = tonumber(os.getenv("BENCH_APART") or 379)
    at = (number * apart + tonumber(os.getenv("BENCH_FIRST") or 0)) % keys
end

function request()
    at = at + 1
    if requests[at] == nil then
        at = 0
    end
    return requests[at]
end

function done(summary, latency, _)
    local errors = summary.errors
    io.write(string.format('{"requests": %d, "us": %d, "p50_us": %d, "p99_us": %d, "errors": %d}\n', summary.requests,
        summary.duration, latency:percentile(50), latency:percentile(99),
        errors.connect + errors.read + errors.write + errors.status + errors.timeout))
end
