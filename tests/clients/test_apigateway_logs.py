# SPDX-License-Identifier: Apache-2.0
"""API Gateway: tests of methods and authorizers with their execution log, and the execution logs of stages in CloudWatch Logs."""
import json
import re
import threading
import time

import pytest
from botocore.exceptions import ClientError

from apigw import Api, Backend
from test_apigateway_functions import Functions

HELLO = """
exports.handler = async (e) => {
	if ((e.queryStringParameters || {}).how === 'text') return 'hello';
	if ((e.queryStringParameters || {}).how === 'throw') throw new Error('broken: it is');
	return { statusCode: 201, headers: { 'X-Two': 'a' }, multiValueHeaders: { 'Set-Cookie': ['a=1', 'b=2'] }, body: JSON.stringify({ id: (e.pathParameters || {}).id, c: e.requestContext }) };
};
"""
AUTHORIZER = """
exports.handler = async (e) => {
	if (e.authorizationToken === 'no') throw new Error('Unauthorized');
	if (e.authorizationToken === 'odd') return { principalId: 'x' };
	return { principalId: 'a-person-with-a-name', policyDocument: { Version: '2012-10-17', Statement: [{ Action: 'execute-api:Invoke', Effect: 'Deny', Resource: e.methodArn }] } };
};
"""


def patch(*ops):
    return [dict(zip(("op", "path", "value"), o)) for o in ops]


@pytest.fixture(scope="module")
def functions(cloud):
    return Functions(cloud)


def texts(log, request=None):
    """The log's lines without their times."""
    first, *lines = log.splitlines()
    assert re.fullmatch(r"Execution log for request [0-9a-f-]{36}", first)
    for line in lines:
        assert re.match(r"(Mon|Tue|Wed|Thu|Fri|Sat|Sun) [A-Z][a-z]{2} \d\d \d\d:\d\d:\d\d UTC \d{4} : ", line), line
    return [line.split(" : ", 1)[1] for line in lines]


def test_a_method_that_is_not_deployed(cloud):
    a = Api(cloud)
    v = a.gw.create_request_validator(restApiId=a.id, name="v", validateRequestParameters=True)["id"]
    m = a.mock("/pets/{id}", response='{"id": "$input.params(\'id\')", "q": "$input.params(\'q\')", "v": "$stageVariables.who", "stage": "$context.stage", "ip": "$context.identity.sourceIp", "key": "$context.identity.apiKey", "arn": "$context.identity.userArn"}',
               headers={"method.response.header.X-A": "'a'"}, requestParameters={"method.request.querystring.q": True}, requestValidatorId=v, auth="AWS_IAM", apiKeyRequired=True)
    r = a.gw.test_invoke_method(pathWithQueryString="/pets/7?q=x%20y", stageVariables={"who": "me"}, headers={"X-Own": "1", "Authorization": "Bearer very-secret-token"}, **m)
    assert r["status"] == 200 and r["headers"]["X-A"] == "a" and r["multiValueHeaders"]["Content-Type"] == ["application/json"] and r["latency"] >= 0
    assert json.loads(r["body"]) == {"id": "7", "q": "x y", "v": "me", "stage": "test-invoke-stage", "ip": "test-invoke-source-ip", "key": "test-invoke-api-key", "arn": "arn:aws:iam::%s:root" % cloud.account}
    log = texts(r["log"])
    assert log[0] == "Starting execution for request: " + r["log"].split()[4] and log[1] == "HTTP Method: GET, Resource Path: /pets/7"
    for line in ("Method request path: {id=7}", "Method request query string: {q=x y}", "Method request body before transformations: ", "Successfully completed execution", "Method completed with status: 200"):
        assert line in log, log
    assert "very-secret" not in r["log"] and re.search(r"Authorization=\*+-token", r["log"])
    r = a.gw.test_invoke_method(pathWithQueryString="/pets/7", **m)
    assert r["status"] == 400 and "Missing required request parameters: [q]" in r["body"] and "Method completed with status: 400" in texts(r["log"])
    for bad in (dict(m, httpMethod="POST"), dict(m, resourceId="zzzzzz"), dict(m, restApiId="zzzzzzzzzz")):
        with pytest.raises(ClientError) as e:
            a.gw.test_invoke_method(**bad)
        assert e.value.response["Error"]["Code"] == "NotFoundException"
    user = cloud.user("tester", {"Effect": "Allow", "Action": "apigateway:POST", "Resource": "arn:aws:apigateway:us-east-1::/restapis/%s/resources/%s/methods/GET" % (a.id, m["resourceId"])})
    gw = cloud.client("apigateway", key=user)
    assert gw.test_invoke_method(pathWithQueryString="/pets/1?q=1", **m)["status"] == 200
    with pytest.raises(ClientError, match="not authorized"):
        gw.test_invoke_method(**dict(m, httpMethod="PUT"))


def test_a_function_behind_a_method(cloud, functions):
    arn = functions.make("log-hello", HELLO)
    a = Api(cloud)
    m = a.function("/f/{id}", arn, verb="ANY")
    m["httpMethod"] = "GET"
    r = a.gw.test_invoke_method(pathWithQueryString="/f/9", **m)
    assert r["status"] == 500 and "Execution failed due to configuration error: Invalid permissions on Lambda function" in texts(r["log"])
    functions.fn.add_permission(FunctionName=arn, StatementId="t", Action="lambda:InvokeFunction", Principal="apigateway.amazonaws.com",
                                SourceArn="arn:aws:execute-api:us-east-1:%s:%s/test-invoke-stage/GET/f/{id}" % (cloud.account, a.id))
    r = a.gw.test_invoke_method(pathWithQueryString="/f/9", **m)
    assert r["status"] == 201 and r["multiValueHeaders"]["Set-Cookie"] == ["a=1", "b=2"], r
    said = json.loads(r["body"])
    assert said["id"] == "9" and said["c"]["stage"] == "test-invoke-stage" and said["c"]["domainPrefix"] == "testPrefix" and said["c"]["requestId"] == r["log"].split()[4]
    log = "\n".join(texts(r["log"]))
    url = "https://lambda.us-east-1.amazonaws.com/2015-03-31/functions/%s/invocations" % arn
    for line in ("Endpoint request URI: " + url, "Sending request to " + url, "Received response. Status: 200, Integration latency: ", "Endpoint response body before transformations: {\"statusCode\":201",
                 "Method response headers: {", "Set-Cookie=***", "Method completed with status: 201"):
        assert line in log, log
    log = texts(a.gw.test_invoke_method(pathWithQueryString="/f/9?how=text", **m)["log"])
    assert log[-2:] == ["Execution failed due to configuration error: Malformed Lambda proxy response", "Method completed with status: 502"]
    log = texts(a.gw.test_invoke_method(pathWithQueryString="/f/9?how=throw", **m)["log"])
    assert log[-2].startswith("Lambda execution failed with status 200 due to customer function error: broken: it is.") and log[-1] == "Method completed with status: 502"


def test_an_authorizer(cloud, functions):
    arn = functions.make("log-auth", AUTHORIZER)
    a = Api(cloud)
    z = a.gw.create_authorizer(restApiId=a.id, name="z", type="TOKEN", authorizerUri=a.uri(arn), identitySource="method.request.header.Authorization")["id"]
    functions.fn.add_permission(FunctionName=arn, StatementId="t", Action="lambda:InvokeFunction", Principal="apigateway.amazonaws.com", SourceArn="arn:aws:execute-api:us-east-1:%s:%s/authorizers/%s" % (cloud.account, a.id, z))
    test = lambda token: a.gw.test_invoke_authorizer(restApiId=a.id, authorizerId=z, headers={"Authorization": token} if token else {})
    r = test("a-long-token-of-somebody")
    assert r["clientStatus"] == 0 and r["principalId"] == "a-person-with-a-name"
    assert json.loads(r["policy"])["Statement"][0]["Resource"] == "arn:aws:execute-api:us-east-1:%s:%s/ESTestInvoke-stage/GET/" % (cloud.account, a.id)
    log = texts(r["log"])
    assert log[0] == "Starting authorizer: " + z and re.fullmatch(r"Incoming identity: \*+mebody", log[1])
    assert log[-2:] == ["Using valid authorizer policy for principal: **************a-name", "Successfully completed authorizer execution"]
    for token, status in (("no", 401), ("", 401), ("odd", 500)):
        r = test(token)
        assert r["clientStatus"] == status and "policy" not in r, r
    with pytest.raises(ClientError, match="Invalid Authorizer identifier specified"):
        a.gw.test_invoke_authorizer(restApiId=a.id, authorizerId="zzzzzz")


def poll(f, enough):
    for _ in range(150):
        got = f()
        if enough(got):
            break
        time.sleep(0.1)
    return got


def log_role(cloud, name, *statements):
    iam = cloud.client("iam")
    arn = iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"Service": "apigateway.amazonaws.com"}, "Action": "sts:AssumeRole"}]}))["Role"]["Arn"]
    iam.put_role_policy(RoleName=name, PolicyName="p", PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": list(statements)}))
    return arn


def test_execution_logs_of_a_stage(cloud):
    logs = cloud.client("logs")
    b = Backend()
    a = Api(cloud)
    a.http("/quiet", b.url + "/q", verb="POST")
    a.http("/loud/{x}", b.url + "/l", verb="POST")
    a.mock("/bad", request="{}")
    a.deploy()
    weak = log_role(cloud, "weak-logs", {"Effect": "Allow", "Action": ["logs:CreateLogStream", "logs:PutLogEvents"], "Resource": "*"})
    good = log_role(cloud, "good-logs", {"Effect": "Allow", "Action": ["logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents"], "Resource": "*"})
    on = patch(("replace", "/*/*/logging/loglevel", "ERROR"), ("replace", "/~1loud~1{x}/POST/logging/loglevel", "INFO"), ("replace", "/~1loud~1{x}/POST/logging/dataTrace", "true"))
    with pytest.raises(ClientError, match="CloudWatch Logs role ARN must be set in account settings"):
        a.gw.update_stage(restApiId=a.id, stageName="s", patchOperations=on)
    a.gw.update_account(patchOperations=patch(("replace", "/cloudwatchRoleArn", weak)))
    a.gw.update_stage(restApiId=a.id, stageName="s", patchOperations=on)
    group = "API-Gateway-Execution-Logs_%s/s" % a.id

    def lines():
        try:
            return [e["message"] for e in logs.filter_log_events(logGroupName=group)["events"]]
        except logs.exceptions.ResourceNotFoundException:
            return None

    assert a.send("/bad").status == 500
    a.gw.update_account(patchOperations=patch(("replace", "/cloudwatchRoleArn", good)))
    assert lines() is None  # the role may not make the group
    quiet = a.send("/quiet", method="POST", body="not to be seen")
    loud = a.send("/loud/1?q=2", method="POST", body="seen", headers={"X-Api-Key": "0123456789abcdef"})
    bad = a.send("/bad")
    got = poll(lines, lambda l: l and any(bad.headers["x-amzn-RequestId"] in t and "completed" in t for t in l) and any(loud.headers["x-amzn-RequestId"] in t and "completed" in t for t in l))
    of = lambda r: [t.split(") ", 1)[1] for t in got if t.startswith("(%s) " % r.headers["x-amzn-RequestId"])]
    assert of(quiet) == []
    assert of(bad) == ["Execution failed due to configuration error: Unable to parse statusCode. It should be an integer which is defined in request template.", "Method completed with status: 500"]
    log, text = of(loud), "\n".join(of(loud))
    assert log[0] == "Extended Request Id: " + loud.headers["x-amz-apigw-id"]
    assert log[2].startswith("API Key") and "authorized because method 'POST /loud/{x}' does not require API Key." in log[2]
    for line in ("Method request path: {x=1}", "Method request body before transformations: seen", "Endpoint request URI: %s/l?q=2" % b.url, "Endpoint response body before transformations: {", "Method completed with status: 200"):
        assert line in text, text
    assert all("0123456789" not in line for line in log if "headers:" in line) and "not to be seen" not in "\n".join(got)
    b.close()


def test_lines_of_slow_requests_come_too(cloud):
    """A slow request's line is older than those of quick ones that are put with it: all of them arrive."""
    logs = cloud.client("logs")
    logs.create_log_group(logGroupName="/slow")
    begun = threading.Event()

    def work(r):
        begun.set()
        time.sleep(0.25)
        return 200, {}, "late"
    b = Backend(work)
    a = Api(cloud)
    a.gw.update_account(patchOperations=patch(("replace", "/cloudwatchRoleArn", log_role(cloud, "slow-logs", {"Effect": "Allow", "Action": "logs:*", "Resource": "*"}))))
    a.http("/slow", b.url)
    a.mock("/quick")
    a.deploy()
    a.gw.update_stage(restApiId=a.id, stageName="s", patchOperations=patch(("replace", "/accessLogSettings/destinationArn", "arn:aws:logs:us-east-1:%s:log-group:/slow" % cloud.account),
                                                                          ("replace", "/accessLogSettings/format", "$context.requestId $context.resourcePath")))
    for _ in range(3):
        begun.clear()
        t = threading.Thread(target=a.send, args=("/slow",))
        t.start()
        assert begun.wait(20)
        a.send("/quick")
        t.join()
    got = poll(lambda: [e["message"].split()[1] for e in logs.filter_log_events(logGroupName="/slow")["events"]], lambda l: len(l) >= 6)
    assert sorted(got) == ["/quick"] * 3 + ["/slow"] * 3
    b.close()
