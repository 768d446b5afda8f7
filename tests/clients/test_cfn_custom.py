# SPDX-License-Identifier: Apache-2.0
"""Custom resources: what their function is asked, and what becomes of each answer. The function only keeps what it is asked; the
tests answer in its place, as any HTTP client with the address can."""
import io
import json
import time
import zipfile

import pytest

from stack_lib import clock, create, delete, parameter, physical, put, reasons, settle, story, template, until

TRUST = json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}]})
CODE = """
import json, boto3
def handler(event, context):
    key = "/".join((event["StackId"].split("/")[1], event["LogicalResourceId"], event["RequestType"], event["RequestId"], context.aws_request_id))
    boto3.client("s3").put_object(Bucket="custom-questions", Key=key, Body=json.dumps(event))
"""


def keeper(cloud):
    """A function that keeps the requests in a bucket; returns its ARN."""
    cloud.client("s3").create_bucket(Bucket="custom-questions")
    iam = cloud.client("iam")
    role = iam.create_role(RoleName="keeper", AssumeRolePolicyDocument=TRUST)["Role"]["Arn"]
    iam.put_role_policy(RoleName="keeper", PolicyName="p", PolicyDocument=json.dumps(
        {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": ["s3:PutObject", "logs:*"], "Resource": "*"}]}))
    z = io.BytesIO()
    with zipfile.ZipFile(z, "w") as f:
        f.writestr("index.py", CODE)
    arn = cloud.client("lambda").create_function(FunctionName="keeper", Role=role, Runtime="python3.12", Handler="index.handler", Timeout=30,
                                                 Code={"ZipFile": z.getvalue()})["FunctionArn"]
    fn = cloud.client("lambda")
    fn.get_waiter("function_active_v2").wait(FunctionName="keeper")
    fn.invoke(FunctionName="keeper", InvocationType="Event", Payload=json.dumps(
        {"StackId": "x/warm/x", "LogicalResourceId": "-", "RequestType": "-", "RequestId": "-"}))
    return arn


@pytest.fixture(scope="module")
def fn(cloud):
    return keeper(cloud)


def kept(cloud, stack, logical, kind):
    keys = cloud.client("s3").list_objects_v2(Bucket="custom-questions", Prefix="%s/%s/%s/" % (stack, logical, kind)).get("Contents", [])
    return [o["Key"] for o in keys]


def asked(cloud, stack, logical="C", kind="Create", n=1, seconds=30):
    """The requests of this kind that the function got for a resource, once there are n."""
    s3 = cloud.client("s3")
    def look():
        keys = {k.split("/")[3]: k for k in kept(cloud, stack, logical, kind)}
        return [keys] if len(keys) >= n else None
    return [json.loads(s3.get_object(Bucket="custom-questions", Key=k)["Body"].read()) for k in until(look, seconds)[0].values()]


def reply(q, status="SUCCESS", **kw):
    a = {"Status": status, "StackId": q["StackId"], "RequestId": q["RequestId"], "LogicalResourceId": q["LogicalResourceId"],
         "PhysicalResourceId": q.get("PhysicalResourceId", "phys-1"), **kw}
    return {k: v for k, v in a.items() if v is not None}


def answer(cloud, q, status="SUCCESS", want=200, **kw):
    assert put(cloud, q["ResponseURL"], reply(q, status, **kw)) == want


def custom(fn, **props):
    return {"Type": "Custom::Thing", "Properties": {"ServiceToken": fn, **props}}


def begin(cf, name, body, **kw):
    return cf.create_stack(StackName=name, TemplateBody=body, **kw)["StackId"]


def status(cf, arn):
    return cf.describe_stacks(StackName=arn)["Stacks"][0]["StackStatus"]


def removed(cloud, cf, name):
    """Deletes the stack, answering its resource's Delete."""
    arn = cf.describe_stacks(StackName=name)["Stacks"][0]["StackId"]
    seen = {q["RequestId"] for q in asked(cloud, name, kind="Delete", n=0)} if cloud else set()
    cf.delete_stack(StackName=name)
    for q in until(lambda: [q for q in asked(cloud, name, kind="Delete", n=0) if q["RequestId"] not in seen]):
        answer(cloud, q)
    assert settle(cf, arn)["StackStatus"] == "DELETE_COMPLETE", reasons(cf, arn)


def test_life_of_a_custom_resource(cloud, cf, fn):
    ssm = cloud.client("ssm")
    def body(n, **kw):
        return template({"C": custom(fn, Number=n, Flag=True, Deep={"List": [1, {"No": False}]}, **kw),
                         "P": parameter({"Fn::Sub": "${C}/${C.Endpoint}/${C.Port}"})}, Outputs={"E": {"Value": {"Fn::GetAtt": ["C", "Endpoint"]}}})
    arn = begin(cf, "life", body(1))
    q = asked(cloud, "life")[0]
    assert q["RequestType"] == "Create" and q["StackId"] == arn and q["ResourceType"] == "Custom::Thing" and q["ServiceToken"] == fn
    assert "PhysicalResourceId" not in q and "OldResourceProperties" not in q
    assert q["ResourceProperties"] == {"ServiceToken": fn, "Number": "1", "Flag": "true", "Deep": {"List": ["1", {"No": "false"}]}}
    assert q["ResponseURL"].startswith("https://localhost:%d/cloudformation-custom-resource-response-useast1/arn%%3Aaws%%3Acloudformation" % cloud.port)
    answer(cloud, q, Data={"Endpoint": "e1", "Port": 80})
    answer(cloud, q, want=403)
    s = settle(cf, arn)
    assert s["StackStatus"] == "CREATE_COMPLETE" and s["Outputs"][0]["OutputValue"] == "e1", reasons(cf, arn)
    assert ssm.get_parameter(Name=physical(cf, "life", "P"))["Parameter"]["Value"] == "phys-1/e1/80"
    assert [x[0] for x in story(cf, arn, "C")] == ["CREATE_IN_PROGRESS", "CREATE_IN_PROGRESS", "CREATE_COMPLETE"]
    # the same id: a normal update
    cf.update_stack(StackName="life", TemplateBody=body(2))
    q = asked(cloud, "life", kind="Update")[0]
    assert q["PhysicalResourceId"] == "phys-1" and q["OldResourceProperties"]["Number"] == "1" and q["ResourceProperties"]["Number"] == "2"
    answer(cloud, q, Data={"Endpoint": "e2", "Port": "81"})
    assert settle(cf, arn)["StackStatus"] == "UPDATE_COMPLETE"
    # another id: the old one is deleted in the cleanup
    cf.update_stack(StackName="life", TemplateBody=body(3))
    q = [x for x in asked(cloud, "life", kind="Update", n=2) if x["ResourceProperties"]["Number"] == "3"][0]
    answer(cloud, q, PhysicalResourceId="phys-2", Data={"Endpoint": "e3", "Port": "82"})
    d = asked(cloud, "life", kind="Delete")[0]
    assert d["PhysicalResourceId"] == "phys-1" and status(cf, arn) == "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS"
    answer(cloud, d)
    assert settle(cf, arn)["StackStatus"] == "UPDATE_COMPLETE" and physical(cf, "life", "C") == "phys-2"
    cf.delete_stack(StackName="life")
    d = [x for x in asked(cloud, "life", kind="Delete", n=2) if x["PhysicalResourceId"] == "phys-2"][0]
    assert d["ResourceProperties"]["Number"] == "3"
    answer(cloud, d)
    assert settle(cf, arn)["StackStatus"] == "DELETE_COMPLETE"


def test_failure_rolls_back(cloud, cf, fn):
    arn = begin(cf, "fails", template({"C": custom(fn)}))
    q = asked(cloud, "fails")[0]
    answer(cloud, q, "FAILED", Reason="no luck\x1b", PhysicalResourceId="half-made")
    d = asked(cloud, "fails", kind="Delete")[0]
    assert d["PhysicalResourceId"] == "half-made"
    answer(cloud, d)
    assert settle(cf, arn)["StackStatus"] == "ROLLBACK_COMPLETE"
    assert "Received response status [FAILED] from custom resource. Message returned: no luck? (RequestId: %s)" % q["RequestId"] in [x[1] for x in story(cf, arn, "C")]
    # an update that fails is put back
    arn = begin(cf, "back", template({"C": custom(fn, V="1")}))
    answer(cloud, asked(cloud, "back")[0])
    assert settle(cf, arn)["StackStatus"] == "CREATE_COMPLETE"
    cf.update_stack(StackName="back", TemplateBody=template({"C": custom(fn, V="2")}))
    answer(cloud, asked(cloud, "back", kind="Update")[0], "FAILED", Reason="no")
    q = [x for x in asked(cloud, "back", kind="Update", n=2) if x["ResourceProperties"]["V"] == "1"][0]
    assert q["OldResourceProperties"]["V"] == "2" and q["PhysicalResourceId"] == "phys-1"
    answer(cloud, q)
    assert settle(cf, arn)["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE"
    removed(cloud, cf, "back")


@pytest.mark.parametrize("name,change,want", [
    ("json", b"{", "Response is not valid JSON"),
    ("array", b"[]", "Invalid response object"),
    ("stack", {"StackId": "arn:aws:cloudformation:us-east-1:1:stack/other/1"}, "Value of StackId does not match"),
    ("request", {"RequestId": "other"}, "Value of RequestId does not match"),
    ("logical", {"LogicalResourceId": "D"}, "Value of LogicalResourceId does not match"),
    ("status", {"Status": "FAILURE"}, "Invalid Response object: 'FAILURE' is not a valid ResponseStatus"),
    ("id", {"PhysicalResourceId": None}, "Invalid PhysicalResourceId"),
    ("data", {"Data": ["x"]}, "Data must be an object"),
    ("long", {"Data": {"x": "y" * 4096}}, "Response object is too long."),
])
def test_malformed_answers_fail_the_resource(cloud, cf, fn, name, change, want):
    stack = "bad-" + name
    arn = begin(cf, stack, template({"C": custom(fn)}))
    q = asked(cloud, stack)[0]
    assert put(cloud, q["ResponseURL"], change if isinstance(change, bytes) else {k: v for k, v in {**reply(q), **change}.items() if v is not None}) == 200
    d = asked(cloud, stack, kind="Delete")[0]  # under a name that the stack has given it
    assert d["PhysicalResourceId"].startswith(stack + "-C-")
    answer(cloud, d)
    assert settle(cf, arn)["StackStatus"] == "ROLLBACK_COMPLETE"
    assert any(want in (x[1] or "") for x in story(cf, arn, "C")), story(cf, arn, "C")


def test_attributes_that_are_not_to_be_shown(cloud, cf, fn):
    arn = begin(cf, "noecho", template({"C": custom(fn), "P": parameter({"Fn::GetAtt": ["C", "Secret"]})}, Outputs={"S": {"Value": {"Fn::GetAtt": ["C", "Secret"]}}}))
    answer(cloud, asked(cloud, "noecho")[0], NoEcho=True, Data={"Secret": "hush"})
    s = settle(cf, arn)
    assert s["Outputs"][0]["OutputValue"] == "*****"
    assert cloud.client("ssm").get_parameter(Name=physical(cf, arn, "P"))["Parameter"]["Value"] == "hush"
    removed(cloud, cf, "noecho")
    arn = begin(cf, "noattr", template({"C": custom(fn), "P": parameter({"Fn::GetAtt": ["C", "Nope"]})}))
    answer(cloud, asked(cloud, "noattr")[0])
    answer(cloud, asked(cloud, "noattr", kind="Delete")[0])
    assert settle(cf, arn)["StackStatus"] == "ROLLBACK_COMPLETE"
    assert any("CustomResource attribute error: Vendor response doesn't contain Nope" in (x[2] or "") for x in reasons(cf, arn))


def test_what_is_refused_before_anything_is_asked(cloud, cf, fn):
    def reason(name, **props):
        s = create(cf, name, template({"C": {"Type": "AWS::CloudFormation::CustomResource", "Properties": props}}), want="ROLLBACK_COMPLETE")
        delete(cf, name)
        return str(story(cf, s["StackId"], "C"))
    assert "SNS topics are not implemented" in reason("sns", ServiceToken="arn:aws:sns:us-east-1:%s:t" % cloud.account)
    assert "Invalid service token" in reason("token", ServiceToken="nonsense")
    assert "must be in the stack's region" in reason("region", ServiceToken=fn.replace("us-east-1", "us-west-2"))
    assert "Property ServiceToken cannot be empty" in reason("none", X="1")
    assert "ServiceTimeout" in reason("timeout", ServiceToken=fn, ServiceTimeout="3601")
    assert "Function not found" in reason("nofn", ServiceToken=fn + "-not")
    who = cloud.user("asker", {"Effect": "Allow", "Action": "cloudformation:*", "Resource": "*"})
    mine = cloud.client("cloudformation", key=who)
    s = create(mine, "asker", template({"C": custom(fn)}), want="ROLLBACK_COMPLETE")
    assert "is not authorized to perform: lambda:InvokeFunction" in str(story(mine, s["StackId"], "C"))


def test_service_token_stays(cloud, cf, fn):
    arn = begin(cf, "stays", template({"C": custom(fn)}))
    answer(cloud, asked(cloud, "stays")[0])
    settle(cf, arn)
    cf.update_stack(StackName="stays", TemplateBody=template({"C": custom(fn + ":$LATEST")}))
    assert ("UPDATE_FAILED", "Modifying service token is not allowed.") in until(lambda: [x for x in story(cf, arn, "C") if x[0] == "UPDATE_FAILED"])
    q = asked(cloud, "stays", kind="Update", n=0)
    for x in q:
        answer(cloud, x)
    settle(cf, arn)
    removed(cloud, cf, "stays")


def test_many_at_once_and_a_stack_is_given_up(cloud, cf, fn):
    many = {"C%d" % i: custom(fn, I=i) for i in range(10)}
    arn = begin(cf, "many", template({**many, "P": parameter()}))
    qs = [asked(cloud, "many", "C%d" % i, seconds=60)[0] for i in range(10)]
    create(cf, "beside", template({"P": parameter()}))
    delete(cf, "beside")
    for q in qs[:5]:
        answer(cloud, q, PhysicalResourceId=q["LogicalResourceId"])
    until(lambda: sum(x["ResourceStatus"] == "CREATE_COMPLETE" for x in cf.describe_stack_resources(StackName=arn)["StackResources"]) == 6)
    cf.delete_stack(StackName=arn)
    for i in range(10):
        d = asked(cloud, "many", "C%d" % i, "Delete", seconds=60)[0]
        assert d["PhysicalResourceId"] == "C%d" % i if i < 5 else d["PhysicalResourceId"].startswith("many-C%d-" % i)
        answer(cloud, d)
    assert settle(cf, arn)["StackStatus"] == "DELETE_COMPLETE", reasons(cf, arn)
    answer(cloud, qs[8], want=403)


def test_cancel_an_update_that_waits(cloud, cf, fn):
    arn = begin(cf, "cancel", template({"C": custom(fn, V="1")}))
    answer(cloud, asked(cloud, "cancel")[0])
    settle(cf, arn)
    cf.update_stack(StackName="cancel", TemplateBody=template({"C": custom(fn, V="2")}))
    q = asked(cloud, "cancel", kind="Update")[0]
    cf.cancel_update_stack(StackName="cancel")
    back = [x for x in asked(cloud, "cancel", kind="Update", n=2) if x["ResourceProperties"]["V"] == "1"][0]
    answer(cloud, q, want=403)
    answer(cloud, back)
    assert settle(cf, arn)["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE"
    assert ("UPDATE_FAILED", "Resource update cancelled") in story(cf, arn, "C")
    removed(cloud, cf, "cancel")


def test_an_export_of_a_stack_that_goes_is_not_imported(cloud, cf, fn):
    arn = begin(cf, "going", template({"C": custom(fn)}, Outputs={"E": {"Value": "x", "Export": {"Name": "going-export"}}}))
    answer(cloud, asked(cloud, "going")[0])
    settle(cf, arn)
    cf.delete_stack(StackName="going")
    q = asked(cloud, "going", kind="Delete")[0]
    other = begin(cf, "comes", template({"P": parameter({"Fn::ImportValue": "going-export"})}))
    assert settle(cf, other)["StackStatus"] == "ROLLBACK_COMPLETE"
    assert "No export named going-export found." in [x[1] for x in story(cf, other, "P")]
    answer(cloud, q)
    assert settle(cf, arn)["StackStatus"] == "DELETE_COMPLETE"


def test_no_answer_in_time(own_cloud):
    cloud, fn = own_cloud, keeper(own_cloud)
    cf = cloud.client("cloudformation")
    arn = begin(cf, "late", template({"C": custom(fn, ServiceTimeout=600)}))
    q = asked(cloud, "late")[0]
    assert q["ResourceProperties"]["ServiceTimeout"] == "600"
    clock(cloud, "+9m")
    time.sleep(0.5)
    assert status(cf, arn) == "CREATE_IN_PROGRESS"
    clock(cloud, "+2m")
    d = asked(cloud, "late", kind="Delete")[0]
    assert ("CREATE_FAILED", "CloudFormation did not receive a response from your Custom Resource. Please check your logs for requestId [%s]. If you are using the "
            "Python cfn-response module, you may need to update your Lambda function code so that CloudFormation can attach the updated version." % q["RequestId"]) in story(cf, arn, "C")
    answer(cloud, q, want=403)
    answer(cloud, d)
    assert settle(cf, arn)["StackStatus"] == "ROLLBACK_COMPLETE"
    # nobody answers the deletion either: an hour, and the stack says so
    cf.delete_stack(StackName="late")
    settle(cf, arn)
    arn = begin(cf, "late2", template({"C": custom(fn)}))
    answer(cloud, asked(cloud, "late2")[0])
    settle(cf, arn)
    cf.delete_stack(StackName="late2")
    asked(cloud, "late2", kind="Delete")
    clock(cloud, "+61m")
    assert settle(cf, arn)["StackStatus"] == "DELETE_FAILED"
    cf.delete_stack(StackName="late2", RetainResources=["C"])
    assert settle(cf, arn)["StackStatus"] == "DELETE_COMPLETE"


def test_kill_between_question_and_answer(own_cloud):
    cloud, fn = own_cloud, keeper(own_cloud)
    cf = cloud.client("cloudformation")
    arn = begin(cf, "kill", template({"C": custom(fn), "D": custom(fn), "P": parameter({"Ref": "C"})}))
    c, d = asked(cloud, "kill")[0], asked(cloud, "kill", "D")[0]
    answer(cloud, d, PhysicalResourceId="d")
    cloud.kill()
    cloud.start()
    cf = cloud.client("cloudformation")
    until(lambda: [x for x in cf.describe_stack_resources(StackName=arn)["StackResources"] if x["LogicalResourceId"] == "D" and x["ResourceStatus"] == "CREATE_COMPLETE"])
    assert physical(cf, arn, "D") == "d"
    answer(cloud, d, want=403)
    answer(cloud, c)
    assert settle(cf, arn)["StackStatus"] == "CREATE_COMPLETE", reasons(cf, arn)
    assert len(kept(cloud, "kill", "C", "Create")) == 1 and len(kept(cloud, "kill", "D", "Create")) == 1  # each was asked once
    assert [x[0] for x in story(cf, arn, "C")].count("CREATE_COMPLETE") == 1


HANDLER = """
const https = require("https"), url = require("url");
exports.handler = async (e) => {
  const u = url.parse(e.ResponseURL);
  const body = JSON.stringify({Status: "SUCCESS", Reason: "", StackId: e.StackId, RequestId: e.RequestId, LogicalResourceId: e.LogicalResourceId,
    PhysicalResourceId: e.PhysicalResourceId || e.RequestId, Data: {Saw: e.RequestType}});
  await new Promise((ok, no) => {
    const r = https.request({hostname: u.hostname, path: u.path, method: "PUT", headers: {"content-type": "", "content-length": Buffer.byteLength(body)}},
      (x) => { x.resume(); ok(); });
    r.on("error", no);
    r.end(body);
  });
};
"""


def test_a_handler_as_they_are_written(cloud, cf, fn):
    """A function of the same stack answers by itself, with the scheme and the port of the address dropped."""
    body = template({
        "Role": {"Type": "AWS::IAM::Role", "Properties": {"AssumeRolePolicyDocument": json.loads(TRUST),
                                                           "ManagedPolicyArns": ["arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole"]}},
        "F": {"Type": "AWS::Lambda::Function", "Properties": {"Code": {"ZipFile": HANDLER}, "Handler": "index.handler", "Runtime": "nodejs20.x", "Timeout": 60,
                                                               "Role": {"Fn::GetAtt": ["Role", "Arn"]}}},
        "C": custom({"Fn::GetAtt": ["F", "Arn"]})}, Outputs={"S": {"Value": {"Fn::GetAtt": ["C", "Saw"]}}})
    arn = begin(cf, "handler", body, Capabilities=["CAPABILITY_IAM"])
    s = settle(cf, arn, 60)
    assert s["StackStatus"] == "CREATE_COMPLETE" and s["Outputs"][0]["OutputValue"] == "Create", reasons(cf, arn)
    cf.delete_stack(StackName=arn)
    assert settle(cf, arn, 60)["StackStatus"] == "DELETE_COMPLETE", reasons(cf, arn)
