# SPDX-License-Identifier: Apache-2.0
"""Stacks that wait for somebody outside: wait conditions, and what can be done to a stack meanwhile."""
import concurrent.futures
import json
import signal


from stack_lib import clock, command, create, delete, parameter, parked, physical, put, reasons, refused, settle, signal_ok, story, template, until, waiting


def test_signals_complete_the_stack(cloud, cf):
    arn = cf.create_stack(StackName="w-ok", TemplateBody=waiting(2))["StackId"]
    url = parked(cf, arn)
    assert put(cloud, url, signal_ok("a")) == 200
    assert put(cloud, url, signal_ok("a")) == 403  # the same one again
    assert put(cloud, url, b"not json") == 403
    assert cf.describe_stacks(StackName=arn)["Stacks"][0]["StackStatus"] == "CREATE_IN_PROGRESS"
    assert put(cloud, url, signal_ok("b")) == 200
    s = settle(cf, arn)
    assert s["StackStatus"] == "CREATE_COMPLETE", reasons(cf, arn)
    out = {o["OutputKey"]: o["OutputValue"] for o in s["Outputs"]}
    assert json.loads(out["Data"]) == {"a": "d-a", "b": "d-b"} and out["Url"] == url
    assert [x[0] for x in story(cf, arn, "W")] == ["CREATE_IN_PROGRESS", "CREATE_IN_PROGRESS", "CREATE_COMPLETE"]
    delete(cf, "w-ok")
    assert put(cloud, url, signal_ok("c")) == 403


def test_a_failed_signal_rolls_back(cloud, cf):
    arn = cf.create_stack(StackName="w-bad", TemplateBody=waiting(2))["StackId"]
    assert put(cloud, parked(cf, arn), signal_ok("a", "FAILURE")) == 200
    assert settle(cf, arn)["StackStatus"] == "ROLLBACK_COMPLETE"
    assert "WaitCondition received failed message: 'why' for uniqueId: a" in [x[1] for x in story(cf, arn, "W")]


def test_nobody_signals_in_time(own_cloud):
    cf = own_cloud.client("cloudformation")
    arn = cf.create_stack(StackName="w-late", TemplateBody=waiting(timeout=600))["StackId"]
    url = parked(cf, arn)
    clock(own_cloud, "+9m")
    assert cf.describe_stacks(StackName=arn)["Stacks"][0]["StackStatus"] == "CREATE_IN_PROGRESS"
    clock(own_cloud, "+2m")
    assert settle(cf, arn)["StackStatus"] == "ROLLBACK_COMPLETE"
    assert "WaitCondition timed out. Received 0 conditions when expecting 1" in [x[1] for x in story(cf, arn, "W")]
    assert put(own_cloud, url, signal_ok()) == 403


def test_timeout_of_a_stack(own_cloud):
    cf = own_cloud.client("cloudformation")
    arn = cf.create_stack(StackName="t", TemplateBody=waiting(), TimeoutInMinutes=5)["StackId"]
    parked(cf, arn)
    clock(own_cloud, "+6m")
    s = settle(cf, arn)
    assert s["StackStatus"] == "ROLLBACK_COMPLETE" and s["TimeoutInMinutes"] == 5
    assert any("Stack creation time exceeded the specified timeout" in (x[2] or "") for x in reasons(cf, arn))
    assert story(cf, arn, "W")[1] == ("CREATE_FAILED", "Resource creation cancelled")


def test_delete_while_it_is_created(cloud, cf):
    arn = cf.create_stack(StackName="w-del", TemplateBody=waiting(P=parameter()))["StackId"]
    parked(cf, arn)
    cf.delete_stack(StackName="w-del")
    assert settle(cf, arn)["StackStatus"] == "DELETE_COMPLETE", reasons(cf, arn)
    assert [x[1] for x in reasons(cf, arn) if x[0] == "w-del"] == ["CREATE_IN_PROGRESS", "DELETE_IN_PROGRESS", "DELETE_COMPLETE"]


def test_cancel_update(cloud, cf):
    create(cf, "w-cancel", template({"P": parameter("one")}))
    cf.update_stack(StackName="w-cancel", TemplateBody=waiting(P=parameter("two")))
    parked(cf, "w-cancel")
    until(lambda: [x for x in story(cf, "w-cancel", "P") if x[0] == "UPDATE_COMPLETE"])
    cf.cancel_update_stack(StackName="w-cancel")
    s = settle(cf, "w-cancel")
    assert s["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE", reasons(cf, "w-cancel")
    assert ("CREATE_FAILED", "Resource creation cancelled") in story(cf, "w-cancel", "W")
    ssm = cloud.client("ssm")
    assert ssm.get_parameter(Name=physical(cf, "w-cancel", "P"))["Parameter"]["Value"] == "one"
    assert {x["LogicalResourceId"] for x in cf.list_stack_resources(StackName="w-cancel")["StackResourceSummaries"]} == {"P"}
    refused("ValidationError", "CancelUpdateStack cannot be called from current stack status", cf.cancel_update_stack, StackName="w-cancel")
    delete(cf, "w-cancel")


def test_many_that_wait_keep_nobody_from_working(cloud, cf):
    """Twenty waiting resources in a stack, and more waiting stacks than operations run at a time."""
    many = {"H": {"Type": "AWS::CloudFormation::WaitConditionHandle"}}
    for i in range(20):
        many["H%d" % i] = {"Type": "AWS::CloudFormation::WaitConditionHandle"}
        many["W%d" % i] = {"Type": "AWS::CloudFormation::WaitCondition", "Properties": {"Handle": {"Ref": "H%d" % i}, "Timeout": "3000"}}
        many["P%d" % i] = parameter(str(i))
    arn = cf.create_stack(StackName="w-many", TemplateBody=template(many))["StackId"]
    others = [cf.create_stack(StackName="w-n%d" % i, TemplateBody=waiting())["StackId"] for i in range(70)]
    def begun():
        r = {x["LogicalResourceId"]: x["ResourceStatus"] for x in cf.describe_stack_resources(StackName=arn)["StackResources"]}
        return all(r.get("P%d" % i) == "CREATE_COMPLETE" and r.get("W%d" % i) == "CREATE_IN_PROGRESS" for i in range(20))
    until(begun)
    urls = [parked(cf, o) for o in others]
    create(cf, "w-free", template({"P": parameter()}))
    handles = {x["LogicalResourceId"]: x.get("PhysicalResourceId") for x in cf.describe_stack_resources(StackName=arn)["StackResources"]}
    for i in range(20):
        assert put(cloud, handles["H%d" % i], signal_ok()) == 200
    assert settle(cf, arn)["StackStatus"] == "CREATE_COMPLETE"
    for url in urls[:35]:
        assert put(cloud, url, signal_ok()) == 200
    for o in others[35:]:
        cf.delete_stack(StackName=o)
    assert {settle(cf, o)["StackStatus"] for o in others[:35]} == {"CREATE_COMPLETE"}
    assert {settle(cf, o)["StackStatus"] for o in others[35:]} == {"DELETE_COMPLETE"}


def test_kill_while_it_waits(own_cloud):
    cf = own_cloud.client("cloudformation")
    arn = cf.create_stack(StackName="k", TemplateBody=waiting(2, P=parameter()))["StackId"]
    url = parked(cf, arn)
    assert put(own_cloud, url, signal_ok("a")) == 200
    own_cloud.kill()
    own_cloud.start()
    cf = own_cloud.client("cloudformation")
    assert put(own_cloud, url, signal_ok("a")) == 403  # what was acknowledged is kept
    assert put(own_cloud, url, signal_ok("b")) == 200
    assert settle(cf, arn)["StackStatus"] == "CREATE_COMPLETE", reasons(cf, arn)
    assert len([x for x in story(cf, arn, "W") if x == ("CREATE_IN_PROGRESS", None)]) == 1


def test_region_stops_and_the_cloud_ends_while_stacks_wait(own_cloud):
    cf = own_cloud.client("cloudformation")
    arn = cf.create_stack(StackName="r", TemplateBody=waiting())["StackId"]
    url = parked(cf, arn)
    for what in ("stop", "start"):
        command(own_cloud, "region", what, "us-east-1")
    assert put(own_cloud, url, signal_ok("a")) == 200
    assert settle(cf, arn)["StackStatus"] == "CREATE_COMPLETE"
    arn = cf.create_stack(StackName="e", TemplateBody=waiting())["StackId"]
    url = parked(cf, arn)
    assert own_cloud.stop(signal.SIGTERM) == 0
    own_cloud.start()
    assert put(own_cloud, url, signal_ok("a")) == 200
    assert settle(own_cloud.client("cloudformation"), arn)["StackStatus"] == "CREATE_COMPLETE"


# --- signals by call ---
def signalled(count=None, timeout=None, **more):
    s = {k: v for k, v in (("Count", count), ("Timeout", timeout)) if v is not None}
    return template({"W": {"Type": "AWS::CloudFormation::WaitCondition", "CreationPolicy": {"ResourceSignal": s}}, **more})


def in_progress(cf, arn, logical="W"):
    until(lambda: [x for x in cf.describe_stack_resources(StackName=arn)["StackResources"] if x["LogicalResourceId"] == logical and x["ResourceStatus"] == "CREATE_IN_PROGRESS"])


def test_signal_resource(cloud, cf):
    arn = cf.create_stack(StackName="sig", TemplateBody=signalled(2, "PT1H30M5S", P={**parameter(), "DependsOn": "W"}))["StackId"]
    in_progress(cf, arn)
    def signal(uid, status="SUCCESS", stack="sig", logical="W", client=cf):
        client.signal_resource(StackName=stack, LogicalResourceId=logical, UniqueId=uid, Status=status)
    refused("ValidationError", "Resource Nope does not exist for stack sig", signal, uid="a", logical="Nope")
    who = cloud.client("cloudformation", key=cloud.user("signaller", {"Effect": "Deny", "Action": "cloudformation:SignalResource", "Resource": "*"}, {"Effect": "Allow", "Action": "*", "Resource": "*"}))
    refused("AccessDenied", "cloudformation:SignalResource", signal, uid="a", client=who)
    def first():
        try:
            signal("a")
        except cf.exceptions.ClientError as e:
            assert "can not be signaled" in str(e)  # it has not got so far yet
            return False
        return True
    until(first)
    refused("ValidationError", "Signal with ID a for resource W already exists", signal, uid="a")
    assert cf.describe_stacks(StackName=arn)["Stacks"][0]["StackStatus"] == "CREATE_IN_PROGRESS"
    signal("b")
    assert settle(cf, arn)["StackStatus"] == "CREATE_COMPLETE", reasons(cf, arn)
    assert [x[1] for x in story(cf, arn, "W") if x[1] and "signal" in x[1]] == ["Received SUCCESS signal with UniqueId a", "Received SUCCESS signal with UniqueId b"]
    refused("ValidationError", "is in CREATE_COMPLETE state and can not be signaled", signal, uid="c")
    delete(cf, "sig")


def test_signals_that_fail_or_never_come(own_cloud):
    cf = own_cloud.client("cloudformation")
    def fail(arn):
        try:
            cf.signal_resource(StackName=arn, LogicalResourceId="W", UniqueId="a", Status="FAILURE")
        except cf.exceptions.ClientError:
            return False
        return True
    arn = cf.create_stack(StackName="sf", TemplateBody=signalled())["StackId"]
    until(lambda: fail(arn))
    assert settle(cf, arn)["StackStatus"] == "ROLLBACK_COMPLETE"
    assert ("CREATE_FAILED", "Received FAILURE signal with UniqueId a") in story(cf, arn, "W")
    arn = cf.create_stack(StackName="sl", TemplateBody=signalled(3, "PT10M"))["StackId"]
    in_progress(cf, arn)
    def first():
        try:
            cf.signal_resource(StackName=arn, LogicalResourceId="W", UniqueId="a", Status="SUCCESS")
        except cf.exceptions.ClientError:
            return False
        return True
    until(first)
    own_cloud.kill()
    own_cloud.start()
    clock(own_cloud, "+11m")
    cf = own_cloud.client("cloudformation")
    assert settle(cf, arn)["StackStatus"] == "ROLLBACK_COMPLETE", reasons(cf, arn)
    assert ("CREATE_FAILED", "Failed to receive 2 resource signal(s) within the specified duration") in story(cf, arn, "W")
    for i, (timeout, why) in enumerate((("10M", "ISO 8601"), ("PT13H", "ISO 8601"), ("PT1S1M", "ISO 8601"))):
        arn = cf.create_stack(StackName="sd%d" % i, TemplateBody=signalled(1, timeout))["StackId"]
        assert settle(cf, arn)["StackStatus"] == "ROLLBACK_COMPLETE" and any(why in (x[1] or "") for x in story(cf, arn, "W")), timeout


def test_a_look_at_a_change_waits_for_its_end(cloud, cf):
    """CDK looks every five seconds, the SDKs' waiters every thirty: a change that is over within moments must not cost them that."""
    first = []
    for i in range(5):
        arn = cf.create_stack(StackName="w-look", TemplateBody=json.dumps({"Resources": {"P%d" % j: {
            "Type": "AWS::SSM::Parameter", "Properties": {"Type": "String", "Value": "v"}} for j in range(5)}}))["StackId"]
        first.append(cf.describe_stacks(StackName=arn)["Stacks"][0]["StackStatus"])
        assert settle(cf, arn)["StackStatus"] == "CREATE_COMPLETE"
        delete(cf, "w-look")
    assert "CREATE_COMPLETE" in first
    now = json.loads(command(cloud, "status", "--json"))
    assert 0 < now["put_off_us"] < now["answered_us"]


def test_a_look_that_is_put_off_sees_what_others_do(cloud, cf):
    arn = cf.create_stack(StackName="w-seen", TemplateBody=waiting(1))["StackId"]
    url = parked(cf, arn)
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        looks = [pool.submit(lambda: cf.describe_stacks(StackName="w-seen")["Stacks"][0]) for _ in range(8)]
        assert put(cloud, url, signal_ok("a")) == 200
        seen = {x.result()["StackStatus"] for x in looks}
    assert seen <= {"CREATE_IN_PROGRESS", "CREATE_COMPLETE"} and settle(cf, arn)["StackStatus"] == "CREATE_COMPLETE"
    assert [o["OutputKey"] for o in settle(cf, arn)["Outputs"]]
    gone = cf.delete_stack(StackName="w-seen")
    assert gone["ResponseMetadata"]["HTTPStatusCode"] == 200 and settle(cf, arn)["StackStatus"] == "DELETE_COMPLETE"


def test_a_cloud_that_stops_answers_who_looks(own_cloud):
    cf = own_cloud.client("cloudformation")
    arn = cf.create_stack(StackName="w-stop", TemplateBody=waiting(1))["StackId"]
    parked(cf, arn)
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        look = pool.submit(lambda: cf.describe_stacks(StackName=arn)["Stacks"][0]["StackStatus"])
        assert own_cloud.stop() == 0
        assert look.exception() or look.result() == "CREATE_IN_PROGRESS"  # an error: it came when nobody listened any more
    own_cloud.start()
    cf = own_cloud.client("cloudformation")
    assert cf.describe_stacks(StackName=arn)["Stacks"][0]["StackStatus"] == "CREATE_IN_PROGRESS"
