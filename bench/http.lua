-- SPDX-License-Identifier: Apache-2.0
-- What wrk sends in bench/http_bench: a signed DynamoDB read as the AWS CLI sends it.
wrk.method = "POST"
wrk.body = '{"TableName":"orders","Key":{"pk":{"S":"customer#0001234"},"sk":{"S":"order#2026-11-20T21:20:00Z"}},"ConsistentRead":true}'
wrk.headers["Content-Type"] = "application/x-amz-json-1.0"
wrk.headers["X-Amz-Target"] = "DynamoDB_20120810.GetItem"
wrk.headers["User-Agent"] = "aws-cli/2.9.19 Python/3.11.2 Linux/6.1.0-13-amd64 source/x86_64.debian.12 prompt/off command/dynamodb.get-item"
wrk.headers["X-Amz-Date"] = "20261120T212000Z"
wrk.headers["Accept-Encoding"] = "identity"
wrk.headers["amz-sdk-invocation-id"] = "4bd0eb4e-3e2a-4e1a-9d7e-1f1e7b1c2f3a"
wrk.headers["amz-sdk-request"] = "attempt=1; max=3"
wrk.headers["X-Amz-Content-Sha256"] = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
wrk.headers["Authorization"] = "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20261120/us-east-1/dynamodb/aws4_request, SignedHeaders=content-type;host;x-amz-content-sha256;x-amz-date;x-amz-target, Signature=b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500"
done = function(s, l, r)
	local errors = s.errors.connect + s.errors.read + s.errors.write + s.errors.status + s.errors.timeout
	io.write(string.format("RESULT requests=%d us=%d errors=%d p50=%d p99=%d\n", s.requests, s.duration, errors, l:percentile(50), l:percentile(99)))
end
