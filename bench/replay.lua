-- SPDX-License-Identifier: Apache-2.0
-- wrk replays whole requests, signed beforehand: a file of "LENGTH\n" and that many bytes each, named after "--".
local requests, next_one = {}, 0

init = function(args)
	local f = assert(io.open(args[1], "rb"))
	while true do
		local n = f:read("*n")
		if not n then break end
		f:read(1)
		requests[#requests + 1] = f:read(n)
	end
	f:close()
end

request = function()
	next_one = next_one % #requests + 1
	return requests[next_one]
end

done = function(s, l, r)
	local e = s.errors
	io.write(string.format("RESULT requests=%d us=%d bytes=%d refused=%d broken=%d p50=%d p99=%d\n", s.requests, s.duration, s.bytes, e.status,
		e.connect + e.read + e.write + e.timeout, l:percentile(50), l:percentile(99)))
end
