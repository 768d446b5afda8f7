# SPDX-License-Identifier: Apache-2.0
"""The CDK's own command against a cloud, as a user types it: bootstrap, synth, diff, deploy, deploy again, destroy; cut off,
refused, and without rights. Each command runs the real CLI with what `cloudkeep env --tool cdk` prints and nothing else.

The tests of this file follow one life of the stacks, in order; the last ones use a cloud of their own."""
import json
import os
import pathlib
import shutil
import signal
import subprocess
import time

import pytest

from cli_tool import binary

ROOT = pathlib.Path(__file__).resolve().parents[2]
APP = ROOT / "stacks" / "secure-multi-region" / "cdk"
REGIONS = ["us-east-1", "us-west-2", "eu-west-1"]
STACKS = {r: "TapStackdev" + r.replace("-", "") for r in REGIONS}
COMMAND_SECONDS = 300

pytestmark = pytest.mark.skipif(not (APP / "node_modules" / "aws-cdk").is_dir() or not shutil.which("node"),
                                reason="the packages of stacks/secure-multi-region/cdk are not installed (scripts/setup)")


def environment(cloud, home, **more):
    """Only what `cloudkeep env` prints, a PATH and a HOME: no other profile, cache or file of the user may help."""
    p = subprocess.run([str(binary()), "env", "--tool", "cdk", "--json", "--data", str(cloud.data)], capture_output=True, text=True, check=True)
    return {"PATH": os.environ["PATH"], "HOME": str(home), "CI": "true", "CDK_DISABLE_CLI_TELEMETRY": "true", "NO_COLOR": "1", **json.loads(p.stdout), **more}


class Cdk:
    """A copy of the app (what the CLI writes stays out of the checkout), and the CLI run in it."""

    def __init__(self, cloud, folder):
        self.cloud, self.home, self.app = cloud, folder / "home", folder / "app"
        self.home.mkdir(parents=True)
        shutil.copytree(APP, self.app, ignore=shutil.ignore_patterns("node_modules", "cdk.out", "cdk.context.json"))
        (self.app / "node_modules").symlink_to(APP / "node_modules")
        # Root may assume no role, as on AWS: who deploys is a user, here an administrator.
        iam = cloud.client("iam")
        iam.create_user(UserName="developer")
        iam.attach_user_policy(UserName="developer", PolicyArn="arn:aws:iam::aws:policy/AdministratorAccess")
        k = iam.create_access_key(UserName="developer")["AccessKey"]
        self.keys = {"AWS_ACCESS_KEY_ID": k["AccessKeyId"], "AWS_SECRET_ACCESS_KEY": k["SecretAccessKey"]}

    def command(self, *args):
        return [str(APP / "node_modules" / ".bin" / "cdk"), *args]

    def run(self, *args, check=0, seconds=COMMAND_SECONDS, **env):
        p = subprocess.run(self.command(*args), cwd=self.app, env=environment(self.cloud, self.home, **{**self.keys, **env}), capture_output=True,
                           text=True, timeout=seconds)
        if check is not None:
            assert p.returncode == check, "cdk %s: %d\n%s\n%s" % (" ".join(args), p.returncode, p.stdout[-4000:], p.stderr[-4000:])
        p.text = p.stdout + p.stderr
        return p

    def start(self, *args):
        return subprocess.Popen(self.command(*args), cwd=self.app, env=environment(self.cloud, self.home, **self.keys), stdout=subprocess.PIPE,
                                stderr=subprocess.STDOUT, text=True, start_new_session=True)

    def bootstrap(self, *regions):
        return self.run("bootstrap", "--app", "cdk.out", *["aws://%s/%s" % (self.cloud.account, r) for r in regions or REGIONS])

    def synth(self):
        """Without checking types: that takes most of a minute and asks nothing of the cloud."""
        return self.run("synth", "--quiet", TS_NODE_TRANSPILE_ONLY="true")

    def deploy(self, *stacks, **kw):
        return self.run("deploy", "--app", "cdk.out", "--require-approval", "never", "--concurrency", "3", "--progress", "events",
                        *(stacks or ["--all"]), **kw)


def status(cloud, region, name):
    try:
        return cloud.client("cloudformation", region=region).describe_stacks(StackName=name)["Stacks"][0]["StackStatus"]
    except Exception as e:
        if "does not exist" in str(e):
            return None
        raise


def begun(cloud, region, name):
    """Is it there or being made? Asked of the list: a look at the stack alone would wait for its end."""
    stacks = cloud.client("cloudformation", region=region).describe_stacks()["Stacks"]
    return any(s["StackName"] == name and s["StackStatus"] in ("CREATE_IN_PROGRESS", "CREATE_COMPLETE") for s in stacks)


def held(cloud):
    """What `cloudkeep status` says that the regions hold, without the trail."""
    p = subprocess.run([str(binary()), "status", "--json", "--data", str(cloud.data)], capture_output=True, text=True, check=True)
    j = json.loads(p.stdout)
    return {"global": j["global"], **{r["name"]: r["resources"] for r in j["regions"]}}


@pytest.fixture(scope="module")
def cdk(cloud, tmp_path_factory):
    return Cdk(cloud, tmp_path_factory.mktemp("cdkapp"))


# --- one life, in order ---
def test_not_bootstrapped(cdk):
    """Synthesis needs the zones of each region; without the bootstrap's roles it goes on with the base credentials."""
    p = cdk.synth()
    assert "could not be used to assume" in p.text and "Successfully synthesized" in p.text
    p = cdk.deploy(STACKS["us-east-1"], check=1)
    assert "bootstrap" in p.text
    assert status(cdk.cloud, "us-east-1", STACKS["us-east-1"]) is None


def test_bootstrap(cdk):
    p = cdk.bootstrap()
    assert p.text.count("bootstrapped.") == 3, p.text
    for r in REGIONS:
        s = cdk.cloud.client("cloudformation", region=r).describe_stacks(StackName="CDKToolkit")["Stacks"][0]
        assert s["StackStatus"] == "CREATE_COMPLETE"
        assert int({o["OutputKey"]: o["OutputValue"] for o in s["Outputs"]}["BootstrapVersion"]) >= 21
    p = cdk.bootstrap()
    assert p.text.count("(no changes)") == 3, p.text


def test_diff_of_new_stacks(cdk):
    p = cdk.run("diff", "--app", "cdk.out", STACKS["us-east-1"])
    assert "AWS::KMS::Key" in p.text and "Custom::S3AutoDeleteObjects" in p.text
    assert status(cdk.cloud, "us-east-1", STACKS["us-east-1"]) is None  # nothing is left of the look


def test_approval_needs_a_terminal(cdk):
    p = cdk.run("deploy", "--app", "cdk.out", STACKS["us-east-1"], check=1)
    assert "terminal (TTY) is not attached" in p.text
    assert status(cdk.cloud, "us-east-1", STACKS["us-east-1"]) is None


def test_deploy(cdk):
    cdk.deploy()
    for r in REGIONS:
        cf = cdk.cloud.client("cloudformation", region=r)
        s = cf.describe_stacks(StackName=STACKS[r])["Stacks"][0]
        assert s["StackStatus"] == "CREATE_COMPLETE" and len(s["Outputs"]) == 5
        rows = [x for p in cf.get_paginator("list_stack_resources").paginate(StackName=STACKS[r]) for x in p["StackResourceSummaries"]]
        assert len(rows) == 34 and all(x["ResourceStatus"] == "CREATE_COMPLETE" for x in rows)
        # what the custom resource was for: the default group lets nothing in or out
        vpc = next(x["PhysicalResourceId"] for x in rows if x["ResourceType"] == "AWS::EC2::VPC")
        g = cdk.cloud.client("ec2", region=r).describe_security_groups(
            Filters=[{"Name": "vpc-id", "Values": [vpc]}, {"Name": "group-name", "Values": ["default"]}])["SecurityGroups"][0]
        assert g["IpPermissions"] == [] and g["IpPermissionsEgress"] == []


def test_the_roles_of_the_bootstrap_were_used(cdk):
    """The CLI acted as its deploy role, CloudFormation as its execution role: the trail says so."""
    ct = cdk.cloud.client("cloudtrail")

    def events(name):
        return [json.loads(e["CloudTrailEvent"]) for e in ct.lookup_events(
            LookupAttributes=[{"AttributeKey": "EventName", "AttributeValue": name}])["Events"]]
    by = [e["userIdentity"]["arn"] for e in events("ExecuteChangeSet") if "errorCode" not in e]
    assert any("cdk-hnb659fds-deploy-role" in a for a in by)
    keys = [e for e in events("CreateKey") if "errorCode" not in e]
    assert any("cdk-hnb659fds-cfn-exec-role" in e["userIdentity"]["arn"] and e.get("sourceIPAddress") == "cloudformation.amazonaws.com" for e in keys)


def test_deploy_again_changes_nothing(cdk):
    p = cdk.deploy()
    assert p.text.count("(no changes)") == 3, p.text
    p = cdk.run("diff", "--app", "cdk.out", "--all")
    assert p.text.count("There were no differences") == 3, p.text


def test_drift(cdk):
    """What was deployed is in sync; a bucket that somebody opened behind CloudFormation's back is named, with what is open."""
    region, stack = "us-east-1", STACKS["us-east-1"]
    p = cdk.run("drift", "--app", "cdk.out", stack)
    assert "No drift detected" in p.text and "Number of resources with drift: 0 (3 unchecked)" in p.text, p.text  # nobody can look into custom resources
    s3 = cdk.cloud.client("s3", region=region)
    bucket = "tap-dev-%s-data-%s" % (region, region)
    was = s3.get_public_access_block(Bucket=bucket)["PublicAccessBlockConfiguration"]
    s3.put_public_access_block(Bucket=bucket, PublicAccessBlockConfiguration={**was, "BlockPublicPolicy": False})
    p = cdk.run("drift", "--app", "cdk.out", stack)
    assert "1 resource has drifted" in p.text and "/PublicAccessBlockConfiguration/BlockPublicPolicy" in p.text and "[~] AWS::S3::Bucket" in p.text, p.text
    s3.put_public_access_block(Bucket=bucket, PublicAccessBlockConfiguration=was)
    assert "No drift detected" in cdk.run("drift", "--app", "cdk.out", stack).text


def test_update(cdk):
    """A change in one region: only that resource is touched."""
    t = cdk.app / "lib" / "tap-stack.ts"
    old = t.read_text()
    t.write_text(old.replace("transitionAfter: cdk.Duration.days(30)", "transitionAfter: cdk.Duration.days(60)"))
    cdk.synth()
    p = cdk.run("diff", "--app", "cdk.out", STACKS["eu-west-1"])
    assert "[~] AWS::S3::Bucket" in p.text
    cdk.deploy(STACKS["eu-west-1"])
    assert status(cdk.cloud, "eu-west-1", STACKS["eu-west-1"]) == "UPDATE_COMPLETE"
    rule = cdk.cloud.client("s3", region="eu-west-1").get_bucket_lifecycle_configuration(
        Bucket="tap-dev-eu-west-1-data-eu-west-1")["Rules"][0]
    assert rule["Transitions"][0]["Days"] == 60


def test_prove(cdk):
    for r in REGIONS:
        p = subprocess.run([str(binary()), "prove", STACKS[r], "--regions", r, "--data", str(cdk.cloud.data)], capture_output=True, text=True, timeout=COMMAND_SECONDS)
        assert p.returncode == 0, p.stdout + p.stderr
        assert "0 broken" in p.stdout, p.stdout


def test_destroy(cdk):
    """Buckets that hold objects go too: the custom resource empties them. The tests below make the same stacks again."""
    for r in REGIONS:
        s3 = cdk.cloud.client("s3", region=r)
        for name in ("data", "logs"):
            for i in range(5):
                s3.put_object(Bucket="tap-dev-%s-%s-%s" % (r, name, r), Key="k%d" % (i % 2), Body=b"x" * 100)
    cdk.run("destroy", "--app", "cdk.out", "--force", "--all")
    for r in REGIONS:
        assert status(cdk.cloud, r, STACKS[r]) is None
        assert not [b for b in cdk.cloud.client("s3", region=r).list_buckets()["Buckets"] if b["Name"].startswith("tap-")]
        # AWS leaves these: keys in their waiting time, the log groups that functions made, default networks
        kms = cdk.cloud.client("kms", region=r)
        keys = [kms.describe_key(KeyId=k["KeyId"])["KeyMetadata"] for k in kms.list_keys()["Keys"]]
        assert all(k["KeyState"] == "PendingDeletion" for k in keys if k["KeyManager"] == "CUSTOMER")
        assert len(cdk.cloud.client("ec2", region=r).describe_vpcs(Filters=[{"Name": "is-default", "Values": ["false"]}])["Vpcs"]) == 0
        assert cdk.cloud.client("lambda", region=r).list_functions()["Functions"] == []
    iam = cdk.cloud.client("iam")
    assert all(x["RoleName"].startswith("cdk-") or x["Path"].startswith("/aws-service-role/") for x in iam.list_roles(MaxItems=500)["Roles"])
    assert held(cdk.cloud)["us-east-1"].get("cloudformation", {}).get("stacks", 1) == 1  # CDKToolkit


def test_bootstrap_bucket_is_kept_and_taken_back(cdk):
    """The staging bucket outlives its stack; bootstrapping anew imports it."""
    cf = cdk.cloud.client("cloudformation", region="us-west-2")
    cf.delete_stack(StackName="CDKToolkit")
    cf.get_waiter("stack_delete_complete").wait(StackName="CDKToolkit", WaiterConfig={"Delay": 1, "MaxAttempts": 60})
    bucket = "cdk-hnb659fds-assets-%s-us-west-2" % cdk.cloud.account
    cdk.cloud.client("s3", region="us-west-2").head_bucket(Bucket=bucket)
    p = cdk.bootstrap("us-west-2")
    assert "bootstrapped." in p.text
    rows = cf.list_stack_resources(StackName="CDKToolkit")["StackResourceSummaries"]
    assert bucket in [x["PhysicalResourceId"] for x in rows]


# --- what must not work ---
def test_who_may_deploy_and_a_deploy_that_fails(cdk):
    """The right to assume the bootstrap's roles is all a deployer needs; without it nothing is deployed. A name that is taken:
    the stack rolls back with the reason, and the next deploy takes its place."""
    iam = cdk.cloud.client("iam")
    keys = {}
    for name in ("deployer", "stranger"):
        iam.create_user(UserName=name)
        k = iam.create_access_key(UserName=name)["AccessKey"]
        keys[name] = {"AWS_ACCESS_KEY_ID": k["AccessKeyId"], "AWS_SECRET_ACCESS_KEY": k["SecretAccessKey"]}
    iam.put_user_policy(UserName="deployer", PolicyName="cdk", PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Action": "sts:AssumeRole", "Resource": "arn:aws:iam::%s:role/cdk-*" % cdk.cloud.account}]}))
    p = cdk.deploy(STACKS["us-east-1"], check=1, **keys["stranger"])
    assert status(cdk.cloud, "us-east-1", STACKS["us-east-1"]) is None, p.text
    iam.create_role(RoleName="tap-dev-us-east-1-ec2-role", AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}]}))
    p = cdk.deploy(STACKS["us-east-1"], check=1, **keys["deployer"])
    assert "already exists" in p.text, p.text
    assert status(cdk.cloud, "us-east-1", STACKS["us-east-1"]) in ("ROLLBACK_COMPLETE", "REVIEW_IN_PROGRESS", None)
    iam.delete_role(RoleName="tap-dev-us-east-1-ec2-role")
    cdk.deploy(STACKS["us-east-1"], **keys["deployer"])
    assert status(cdk.cloud, "us-east-1", STACKS["us-east-1"]) == "CREATE_COMPLETE"
    cdk.run("destroy", "--app", "cdk.out", "--force", STACKS["us-east-1"], **keys["deployer"])
    assert status(cdk.cloud, "us-east-1", STACKS["us-east-1"]) is None


# --- cut off ---
def wait_for(what, seconds=120):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        v = what()
        if v:
            return v
        time.sleep(0.02)
    pytest.fail("it did not happen in %d s" % seconds)


def end_group(p):
    try:
        os.killpg(p.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    p.wait()
    p.stdout.close()


@pytest.mark.parametrize("victim", ["cloud", "tool"])
def test_cut_off_in_mid_deploy(cdk, victim):
    """Cloudkeep or the tool is killed while stacks are being made; the same command again completes them."""
    p = cdk.start("deploy", "--app", "cdk.out", "--require-approval", "never", "--concurrency", "3", "--all")
    try:
        wait_for(lambda: any(begun(cdk.cloud, r, STACKS[r]) for r in REGIONS))
        if victim == "cloud":
            cdk.cloud.kill()
    finally:
        end_group(p)
    if victim == "cloud":
        cdk.cloud.start()
        p = cdk.bootstrap()
        assert p.text.count("(no changes)") == 3, p.text  # nothing of it was lost
    cdk.deploy()
    for r in REGIONS:
        assert status(cdk.cloud, r, STACKS[r]) in ("CREATE_COMPLETE", "UPDATE_COMPLETE")
        vpcs = cdk.cloud.client("ec2", region=r).describe_vpcs(Filters=[{"Name": "is-default", "Values": ["false"]}])["Vpcs"]
        assert len(vpcs) == 1  # nothing was made twice
    cdk.run("destroy", "--app", "cdk.out", "--force", "--all")
    assert all(status(cdk.cloud, r, STACKS[r]) is None for r in REGIONS)
