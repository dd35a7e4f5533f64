-- What wrk's clients send, and a line of JSON with what came of it.
--
--   wrk --threads 1 --script benchmarks/service/load.lua URL -- KIND SEED
--
-- A seed serves one run: no two runs send the same idempotency key. Requests are spelled out
-- beforehand where that can be, as wrk takes its time from the server beside it.

local COUNTERS, EXPONENT = 1000, 1.1

local kinds = {}

function kinds.get()
end

function kinds.hits()
  wrk.method = "POST"
end

function kinds.keys(seed)
  wrk.method = "POST"
  wrk.headers["Idempotency-Key"] = "KEY"
  local head, tail = wrk.format():match("^(.*)KEY(.*)$")
  local number = 0
  function request()
    number = number + 1
    return head .. seed .. "-" .. number .. tail
  end
end

function kinds.zipf(seed)
  wrk.method = "POST"
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
  kinds[arguments[1]](arguments[2])
end

function done(summary, latency)
  local errors = summary.errors
  io.write(string.format(
    '{"requests": %d, "microseconds": %d, "p50": %d, "p99": %d, "refused": %d, "broken": %d}\n',
    summary.requests, summary.duration, latency:percentile(50), latency:percentile(99),
    errors.status, errors.connect + errors.read + errors.write + errors.timeout
  ))
end
