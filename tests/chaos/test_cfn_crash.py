# SPDX-License-Identifier: Apache-2.0
"""kill -9 in the middle of three-region deployments, again and again: every stack comes to a proper end after the restart,
what is complete is all there, and what was given up has left nothing behind."""
import os
import random
import threading
import time

from test_cfn_nested import nested, upload
from test_cfn_reference import REGIONS, TEMPLATE, client, leftovers, wait
from stack_lib import parameter, put, signal_ok, template, waiting

SECONDS = float(os.environ.get("CLOUDKEEP_CRASH_SECONDS", "60"))


def stack_resources(cf, name):
    return {r["LogicalResourceId"]: r for r in cf.describe_stack_resources(StackName=name)["StackResources"]}


def ask(fn, done):
    """Calls while the cloud may be killed; notes what was acknowledged."""
    try:
        done.append(fn())
    except Exception:  # noqa: BLE001: the connection was cut, which is the point
        pass


def test_crash_during_deployments(own_cloud):
    cloud = own_cloud
    body = TEMPLATE.read_text()
    before = leftovers(cloud)
    seed = int(os.environ.get("CLOUDKEEP_CRASH_SEED", str(random.randrange(1 << 30))))
    rnd = random.Random(seed)
    print("seed", seed)
    end, rounds, ends = time.time() + SECONDS, 0, {}
    while time.time() < end:
        clients = {r: client(cloud, "cloudformation", r) for r in REGIONS}
        acked = {r: [] for r in REGIONS}
        threads = [threading.Thread(target=ask, args=(lambda r=r: clients[r].create_stack(StackName="crash", TemplateBody=body, Capabilities=["CAPABILITY_NAMED_IAM"])["StackId"],
                                                      acked[r])) for r in REGIONS]
        for t in threads:
            t.start()
        time.sleep(rnd.random() * 0.5)
        cloud.kill()
        for t in threads:
            t.join()
        cloud.start()
        clients = {r: client(cloud, "cloudformation", r) for r in REGIONS}
        for r in REGIONS:
            live = [s for s in clients[r].describe_stacks()["Stacks"] if s["StackName"] == "crash"]
            if acked[r]:
                assert [s["StackId"] for s in live] == acked[r], "an acknowledged stack is lost (seed %d)" % seed
            if not live:
                continue
            s = wait(clients[r], live[0]["StackId"])
            ends[s["StackStatus"]] = ends.get(s["StackStatus"], 0) + 1
            why = [(e["LogicalResourceId"], e["ResourceStatus"], e.get("ResourceStatusReason")) for e in clients[r].describe_stack_events(StackName="crash")["StackEvents"]
                   if "FAILED" in e["ResourceStatus"]]
            assert s["StackStatus"] in ("CREATE_COMPLETE", "ROLLBACK_COMPLETE"), (seed, r, s["StackStatus"], why)
            assert s["StackStatus"] == "CREATE_COMPLETE", (seed, r, why)  # nothing was wrong with it but the crash
            assert {x["ResourceStatus"] for x in stack_resources(clients[r], "crash").values()} == {"CREATE_COMPLETE"}
        # exactly what the stacks hold, no more
        now = leftovers(cloud)
        for r in REGIONS:
            n = len([s for s in clients[r].describe_stacks()["Stacks"] if s["StackName"] == "crash"])
            want = {k: v + n * {"keys": 1, "aliases": 1, "vpcs": 1, "subnets": 4, "tables": 5, "gateways": 1, "groups": 2, "exports": 5}[k] for k, v in before[r].items()}
            assert now[r] == want, (seed, r)
        # and the other way
        arns = {}
        for r in REGIONS:
            for s in clients[r].describe_stacks()["Stacks"]:
                arns[r] = s["StackId"]
                clients[r].delete_stack(StackName=s["StackId"])
        time.sleep(rnd.random() * 0.25)
        cloud.kill()
        cloud.start()
        clients = {r: client(cloud, "cloudformation", r) for r in REGIONS}
        for r, arn in arns.items():
            assert wait(clients[r], arn)["StackStatus"] == "DELETE_COMPLETE", (seed, r)
        assert leftovers(cloud) == before, seed
        rounds += 1
    print("rounds", rounds, ends)
    assert rounds >= 1


def signal_all(cloud, cf, arn, seconds=30):
    """Signals whatever waits in the stack and those in it until it has come to an end."""
    end = time.time() + seconds
    while time.time() < end:
        stacks = cf.describe_stacks()["Stacks"]
        s = next(x for x in stacks if x["StackId"] == arn)
        if not s["StackStatus"].endswith("_IN_PROGRESS"):
            return s["StackStatus"]
        for x in stacks:
            for r in cf.describe_stack_resources(StackName=x["StackId"])["StackResources"]:
                if r["ResourceType"].endswith("WaitConditionHandle") and r["ResourceStatus"] == "CREATE_COMPLETE":
                    assert put(cloud, r["PhysicalResourceId"], signal_ok("once")) in (200, 403)
        time.sleep(0.05)
    raise AssertionError("the stack stays in " + s["StackStatus"])


def test_crash_of_stacks_that_wait_in_each_other(own_cloud):
    cloud = own_cloud
    cloud.client("s3").create_bucket(Bucket="crash-templates")
    leaf = upload(cloud, "crash-templates", "leaf.json", waiting(P=parameter()))
    middle = upload(cloud, "crash-templates", "middle.json", template({"N": nested(leaf), "Q": {**parameter(), "DependsOn": "N"}}))
    body = template({"A": nested(middle), "B": nested(leaf), "R": {**parameter(), "DependsOn": ["A", "B"]}})
    seed = int(os.environ.get("CLOUDKEEP_CRASH_SEED", str(random.randrange(1 << 30))))
    rnd, end, rounds = random.Random(seed), time.time() + SECONDS / 3, 0
    print("seed", seed)
    while time.time() < end or rounds == 0:
        cf = client(cloud, "cloudformation", "us-east-1")
        arn = cf.create_stack(StackName="outer", TemplateBody=body)["StackId"]
        time.sleep(rnd.random() * 0.3)
        cloud.kill()
        cloud.start()
        cf = client(cloud, "cloudformation", "us-east-1")
        assert signal_all(cloud, cf, arn) == "CREATE_COMPLETE", seed
        stacks = cf.describe_stacks()["Stacks"]
        assert len(stacks) == 4 and {s["RootId"] for s in stacks if s["StackId"] != arn} == {arn}, (seed, [s["StackName"] for s in stacks])
        assert len(cloud.client("ssm").describe_parameters()["Parameters"]) == 4, seed
        cf.delete_stack(StackName=arn)
        time.sleep(rnd.random() * 0.1)
        cloud.kill()
        cloud.start()
        cf = client(cloud, "cloudformation", "us-east-1")
        assert wait(cf, arn)["StackStatus"] == "DELETE_COMPLETE", seed
        assert not cf.describe_stacks()["Stacks"] and not cloud.client("ssm").describe_parameters()["Parameters"], seed
        rounds += 1
    print("rounds", rounds)


def test_addresses_that_a_resumed_stack_gives_out_lead_here(own_cloud):
    """What a killed cloud had under way goes on at once, also before anybody knows on which port it is reached this time."""
    cloud = own_cloud
    handle = {"Type": "AWS::CloudFormation::WaitConditionHandle"}
    body = template({"H%d" % i: {**handle, "DependsOn": "H%d" % (i - 1)} if i else handle for i in range(60)})
    for i in range(3):
        arn = client(cloud, "cloudformation", "us-east-1").create_stack(StackName="handles-%d" % i, TemplateBody=body)["StackId"]
        cloud.kill()
        cloud.start()
        cf = client(cloud, "cloudformation", "us-east-1")
        assert wait(cf, arn)["StackStatus"] == "CREATE_COMPLETE"
        where = {r["PhysicalResourceId"].split("/")[2] for r in cf.describe_stack_resources(StackName=arn)["StackResources"]}
        assert where == {"localhost:%d" % cloud.port}
