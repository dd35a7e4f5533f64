-- What wrk's clients send, and a line of JSON with the results.
--
--   wrk --threads 1 --script benchmarks/service/load.lua URL -- KIND SEED
--
-- A seed is for one run: no two runs send the same idempotency key. Requests are formatted
-- beforehand if possible, as wrk takes its time from the server beside it.

local COUNTERS, EXPONENT = 1000, 1.1

local function keys(seed)
  wrk.headers["Idempotency-Key"] = "KEY"
  local head, tail = wrk.format():match("^(.*)KEY(.*)$")
  local number = 0
  function request()
    number = number + 1
    return head .. seed .. "-" .. number .. tail
  end
end

local function zipf(seed)
  math.randomseed(seed)
  local requests, shares, sum = {}, {}, 0
  for number = 1, COUNTERS do
    requests[number] = wrk.format(nil, (wrk.path:gsub("NUMBER", number)))
    sum = sum + number ^ -EXPONENT
    shares[number] = sum
  end
  function request()
    local at, low, high = math.random() * sum, 1, COUNTERS
    while low < high do
      local middle = math.floor((low + high) / 2)
      if shares[middle] < at then low = middle + 1 else high = middle end
    end
    return requests[low]
  end
end

function init(arguments)
  local kind, seed = arguments[1], arguments[2]
  wrk.method = kind == "get" and "GET" or "POST"
  if kind == "keys" then keys(seed) end
  if kind == "zipf" then zipf(seed) end
end

function done(summary, latency)
  local errors = summary.errors
  io.write(string.format(
    '{"requests": %d, "microseconds": %d, "p50": %d, "p99": %d, "errors": %d}\n',
    summary.requests, summary.duration, latency:percentile(50), latency:percentile(99),
    errors.status + errors.connect + errors.read + errors.write + errors.timeout
  ))
end
