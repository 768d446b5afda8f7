# SPDX-License-Identifier: Apache-2.0
"""The reference stack in three regions at once: everything is made, and everything goes again."""
import pathlib
import threading
import time

TEMPLATE = pathlib.Path(__file__).resolve().parents[2] / "stacks" / "secure-multi-region" / "template.yaml"
REGIONS = ["us-east-1", "us-west-2", "eu-west-1"]


def wait(cf, arn, seconds=60):
    end = time.time() + seconds
    while time.time() < end:
        s = cf.describe_stacks(StackName=arn)["Stacks"][0]
        if not s["StackStatus"].endswith("_IN_PROGRESS"):
            return s
        time.sleep(0.02)
    raise AssertionError(s["StackStatus"])


def in_all(fn):
    out, threads = {}, []
    for r in REGIONS:
        t = threading.Thread(target=lambda r=r: out.__setitem__(r, fn(r)))
        t.start()
        threads.append(t)
    for t in threads:
        t.join()
    return [out[r] for r in REGIONS]


def client(cloud, service, region="us-east-1"):
    """Clients are kept: making one takes longer than most calls. The port stays when a cloud is started again."""
    kept = cloud.__dict__.setdefault("kept_clients", {})
    if (service, region) not in kept:
        kept[service, region] = cloud.client(service, region=region, plain=True)
    return kept[service, region]


def leftovers(cloud):
    """What a stack would leave behind, counted in all regions."""
    n = {}
    for r in REGIONS:
        kms, ec2 = client(cloud, "kms", r), client(cloud, "ec2", r)
        keys = [k["KeyId"] for p in kms.get_paginator("list_keys").paginate() for k in p["Keys"]]
        dead = cloud.__dict__.setdefault("dead_keys", set())  # deleted ones are listed for 30 days; each is looked at once
        meta = [kms.describe_key(KeyId=k)["KeyMetadata"] for k in keys if k not in dead]
        dead.update(m["KeyId"] for m in meta if m["KeyState"] == "PendingDeletion")
        n[r] = {"keys": sum(m["KeyManager"] == "CUSTOMER" and m["KeyState"] == "Enabled" for m in meta),
                "aliases": sum(not a["AliasName"].startswith("alias/aws/") for a in kms.list_aliases()["Aliases"]),
                "vpcs": len(ec2.describe_vpcs()["Vpcs"]), "subnets": len(ec2.describe_subnets()["Subnets"]),
                "tables": len(ec2.describe_route_tables()["RouteTables"]), "gateways": len(ec2.describe_internet_gateways()["InternetGateways"]),
                "groups": len(ec2.describe_security_groups()["SecurityGroups"]),
                "exports": len(client(cloud, "cloudformation", r).list_exports()["Exports"])}
    n["buckets"] = len(client(cloud, "s3").list_buckets()["Buckets"])
    n["roles"] = len([x for x in client(cloud, "iam").list_roles()["Roles"] if "ec2-role" in x["RoleName"]])
    return n


def assert_in_sync(clients):
    """Nothing has drifted, and nothing was left out that AWS would check."""
    started = {r: cf.detect_stack_drift(StackName="ref")["StackDriftDetectionId"] for r, cf in clients.items()}
    for r, cf in clients.items():
        end = time.time() + 60
        while (d := cf.describe_stack_drift_detection_status(StackDriftDetectionId=started[r]))["DetectionStatus"] == "DETECTION_IN_PROGRESS":
            assert time.time() < end, d
            time.sleep(0.05)
        assert (d["DetectionStatus"], d["StackDriftStatus"]) == ("DETECTION_COMPLETE", "IN_SYNC"), (d, cf.describe_stack_resource_drifts(StackName="ref", StackResourceDriftStatusFilters=["MODIFIED", "DELETED", "UNKNOWN"]))
        rows = cf.list_stack_resources(StackName="ref")["StackResourceSummaries"]
        assert not [x for x in rows if x["DriftInformation"]["StackResourceDriftStatus"] == "NOT_CHECKED"], rows


def test_reference_stack_in_three_regions(cloud):
    clients = {r: client(cloud, "cloudformation", r) for r in REGIONS}
    before = leftovers(cloud)
    body = TEMPLATE.read_text()

    def up(r):
        return wait(clients[r], clients[r].create_stack(StackName="ref", TemplateBody=body, Capabilities=["CAPABILITY_NAMED_IAM"])["StackId"])

    stacks = in_all(up)
    assert [s["StackStatus"] for s in stacks] == ["CREATE_COMPLETE"] * 3
    assert all(len(s["Outputs"]) == 5 for s in stacks)
    after = leftovers(cloud)
    for r in REGIONS:
        assert after[r]["vpcs"] == before[r]["vpcs"] + 1 and after[r]["keys"] == before[r]["keys"] + 1 and after[r]["subnets"] == before[r]["subnets"] + 4
        assert after[r]["exports"] == 5
    assert after["buckets"] == before["buckets"] + 6 and after["roles"] == 3
    assert_in_sync(clients)
    for r in REGIONS:
        rows = clients[r].describe_stack_resources(StackName="ref")["StackResources"]
        assert {x["ResourceStatus"] for x in rows} == {"CREATE_COMPLETE"} and all(x["PhysicalResourceId"] for x in rows)
        group = [x["PhysicalResourceId"] for x in rows if x["LogicalResourceId"] == "SecurityGroup"][0]
        g = client(cloud, "ec2", r).describe_security_groups(GroupIds=[group])["SecurityGroups"][0]
        assert [p["IpProtocol"] for p in g["IpPermissionsEgress"]] == ["icmp"] and g["IpPermissions"][0]["FromPort"] == 443
    # an update of it, and back
    c = clients["us-east-1"]
    changed = body.replace("Customer-managed encryption key for all services", "Another description").replace("TransitionInDays: 30", "TransitionInDays: 60")
    c.update_stack(StackName="ref", TemplateBody=changed, Capabilities=["CAPABILITY_NAMED_IAM"])
    assert wait(c, "ref")["StackStatus"] == "UPDATE_COMPLETE"
    touched = {e["LogicalResourceId"] for e in c.describe_stack_events(StackName="ref")["StackEvents"] if e["ResourceStatus"] == "UPDATE_COMPLETE"}
    assert touched == {"ref", "EncryptionKey", "DataBucket"}

    def down(r):
        arn = clients[r].describe_stacks(StackName="ref")["Stacks"][0]["StackId"]
        clients[r].delete_stack(StackName="ref")
        return wait(clients[r], arn)

    gone = in_all(down)
    assert [s["StackStatus"] for s in gone] == ["DELETE_COMPLETE"] * 3
    assert leftovers(cloud) == before
