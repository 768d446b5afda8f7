# SPDX-License-Identifier: Apache-2.0
"""The reference stack of a private API with the real Terraform (or OpenTofu) and its AWS provider, in three regions, over TLS,
with the environment that `cloudkeep env` prints and a role of few rights: made, planned, changed, taken away; then again with the
tool and the cloud cut off."""
import json
import os
import shutil
import signal
import subprocess
import tempfile
import time
import urllib.error
import urllib.request

import pytest

from tools_lib import ROOT, Missing, Terraform, binary, environment, make_cloud, status

REGIONS = ("us-east-1", "us-west-2", "eu-central-1")
STACK = ROOT / "stacks" / "private-api" / "terraform"
FAST = ("-input=false", "-no-color", "-parallelism=30")
PLAN = ("plan", *FAST, "-detailed-exitcode")


@pytest.fixture(scope="module")
def terraform(tmp_path_factory):
    try:
        return Terraform(STACK, tmp_path_factory.mktemp("terraform"))
    except Missing as e:
        pytest.skip(str(e))


@pytest.fixture(scope="module")
def own(terraform):
    if not binary().exists():
        pytest.fail("%s is not built" % binary())
    cloud, d = make_cloud(regions=",".join(REGIONS))
    cloud.start()
    yield cloud
    code = cloud.stop()
    shutil.rmtree(d, ignore_errors=True)
    assert code == 0


@pytest.fixture(scope="module")
def env(own):
    """Terraform works as a role that may do what the stack needs, and nothing else."""
    iam, name = own.client("iam"), "terraform"
    user = own.user("deployer", {"Effect": "Allow", "Action": "sts:AssumeRole", "Resource": "arn:aws:iam::%s:role/%s" % (own.account, name)})
    trust = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"AWS": user["Arn"]}, "Action": "sts:AssumeRole"}]}
    role = iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(trust))["Role"]["Arn"]
    iam.put_role_policy(RoleName=name, PolicyName="stack", PolicyDocument=(STACK / "permissions.json").read_text())
    c = own.client("sts", key=user).assume_role(RoleArn=role, RoleSessionName="apply")["Credentials"]
    return environment(own, AWS_ACCESS_KEY_ID=c["AccessKeyId"], AWS_SECRET_ACCESS_KEY=c["SecretAccessKey"], AWS_SESSION_TOKEN=c["SessionToken"])


def holds(cloud):
    """What there is, without keys that wait for their deletion: those stay on AWS too."""
    s = status(cloud)
    out = {"global": s["global"]}
    for r in s["regions"]:
        kms = cloud.client("kms", region=r["name"])
        r["resources"].get("kms", {}).pop("keys", None)
        living = [k["KeyId"] for k in kms.list_keys()["Keys"] if kms.describe_key(KeyId=k["KeyId"])["KeyMetadata"]["KeyState"] == "Enabled"]
        out[r["name"]] = {**{k: v for k, v in r["resources"].items() if v}, "keys": len(living)}
    return out


def wait_for_lines(process, state, times):
    """Reads the tool's output until each of these kinds of resources has come to a state so many times."""
    seen, left = [], dict(times)
    for line in process.stdout:
        seen.append(line)
        for kind in left:
            left[kind] -= kind in line and state in line
        if all(n <= 0 for n in left.values()):
            return
    raise AssertionError("it ended before that: %s %s" % (left, "".join(seen)[-4000:]))


def ended(process, timeout=300):
    text, _ = process.communicate(timeout=timeout)
    return process.returncode, text


def unchanged(terraform, env):
    code, text = terraform.run(*PLAN, env=env, ok=(0, 2))
    assert code == 0, text[-6000:]


@pytest.fixture(scope="module")
def before(own, env):
    return holds(own)


def test_init_and_validate(terraform, env):
    terraform.run("init", "-input=false", "-no-color", env=env)
    code, text = terraform.run("validate", "-json", env=env)
    assert json.loads(text)["valid"] is True and json.loads(text)["warning_count"] == 0, text


def test_apply(terraform, env, own, before):
    terraform.run("apply", "-auto-approve", *FAST, env=env)
    made = {k: v for k, v in json.loads(terraform.run("output", "-json", "-no-color", env=env)[1])["regions"]["value"].items()}
    assert sorted(made) == sorted(REGIONS) and len([a for a in terraform.addresses(env) if ".data." not in a]) == 58
    for region in REGIONS:
        ec2 = own.client("ec2", region=region)
        e = ec2.describe_vpc_endpoints(VpcEndpointIds=[made[region]["endpoint"]])["VpcEndpoints"][0]
        assert e["VpcId"] == made[region]["vpc"] and e["PrivateDnsEnabled"] and len(e["NetworkInterfaceIds"]) == 2
        assert own.client("kms", region=region).get_key_rotation_status(KeyId=made[region]["key"])["KeyRotationEnabled"]
        group = own.client("logs", region=region).describe_log_groups(logGroupNamePrefix=made[region]["log_group"])["logGroups"][0]
        assert group["retentionInDays"] == 90 and group["kmsKeyId"] == made[region]["key"]
        api = own.client("apigateway", region=region).get_rest_api(restApiId=made[region]["api"])
        assert api["endpointConfiguration"]["types"] == ["PRIVATE"] and api["endpointConfiguration"]["vpcEndpointIds"] == [e["VpcEndpointId"]]
        rule = own.client("s3", region=region).get_bucket_encryption(Bucket=made[region]["bucket"])["ServerSideEncryptionConfiguration"]["Rules"][0]
        assert rule["ApplyServerSideEncryptionByDefault"] == {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": made[region]["key"]}
    assert own.client("iam").get_account_password_policy()["PasswordPolicy"]["MinimumPasswordLength"] == 14


def test_what_was_made_is_enforced(terraform, env, own):
    made = json.loads(terraform.run("output", "-json", "-no-color", env=env)[1])["regions"]["value"]["eu-central-1"]
    s3 = own.client("s3", region="eu-central-1")
    s3.put_object(Bucket=made["bucket"], Key="k", Body=b"secret")
    assert s3.head_object(Bucket=made["bucket"], Key="k")["SSEKMSKeyId"] == made["key"]
    url = s3.generate_presigned_url("get_object", Params={"Bucket": made["bucket"], "Key": "k"}).replace("https:", "http:")
    with pytest.raises(urllib.error.HTTPError, match="403"): # not over TLS
        urllib.request.urlopen(url, timeout=20)
    iam = own.client("iam")
    iam.create_user(UserName="weak")
    with pytest.raises(iam.exceptions.PasswordPolicyViolationException):
        iam.create_login_profile(UserName="weak", Password="Short1!")
    iam.delete_user(UserName="weak")


def test_plan_after_apply_is_empty(terraform, env):
    unchanged(terraform, env)


def test_prove(terraform, env, own):
    """Everything that the state declares is attacked in all three regions, by an administrator, and holds."""
    state = terraform.run("show", "-json", "-no-color", env=env)[1]
    p = subprocess.run([str(binary()), "prove", "--terraform", "-", "--declared", "--json", "--data", str(own.data)], input=state,
                       stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=300)
    assert p.stdout.startswith("{"), p.stderr
    proofs = json.loads(p.stdout)["proofs"]
    assert [(x["region"], x["promise"], x["attempt"], x["got"]) for x in proofs if x["verdict"] in ("broken", "untried")] == []
    assert p.returncode == 0 and {x["region"] for x in proofs} == set(REGIONS)
    held = {x["family"] for x in proofs if x["verdict"] == "held"}
    assert {"transport", "access", "encryption", "public", "key use", "trust", "network", "private API", "passwords", "signatures", "trail"} <= held


CHANGES = ("-var", 'tags={Team="blue"}', "-var", "admin_cidr=10.0.7.0/24", "-var", "description=Changed", "-var", "retention_in_days=30",
           "-var", "max_password_age=60")


def test_update(terraform, env, own):
    text = terraform.run("apply", "-auto-approve", *FAST, *CHANGES, env=env)[1]
    assert " 0 added, " in text and " 0 destroyed" in text, text[-3000:]
    for region in REGIONS:
        ec2 = own.client("ec2", region=region)
        assert len(ec2.describe_subnets(Filters=[{"Name": "tag:Team", "Values": ["blue"]}])["Subnets"]) == 2
        group = ec2.describe_security_groups(Filters=[{"Name": "tag:Team", "Values": ["blue"]}])["SecurityGroups"][0]
        ssh = [p for p in group["IpPermissions"] if p["FromPort"] == 22]
        assert [r["CidrIp"] for r in ssh[0]["IpRanges"]] == ["10.0.7.0/24"]
        groups = own.client("logs", region=region).describe_log_groups(logGroupNamePrefix="/aws/apigateway/tap-")["logGroups"]
        assert [g["retentionInDays"] for g in groups] == [30]
        assert own.client("apigateway", region=region).get_rest_apis()["items"][0]["description"].startswith("Changed Gateway")
    assert own.client("iam").get_account_password_policy()["PasswordPolicy"]["MaxPasswordAge"] == 60


def test_plan_after_update_is_empty(terraform, env):
    code, text = terraform.run(*PLAN, *CHANGES, env=env, ok=(0, 2))
    assert code == 0, text[-6000:]


def test_destroy_leaves_nothing(terraform, env, own, before):
    terraform.run("destroy", "-auto-approve", *FAST, env=env)
    assert terraform.addresses(env) == [] and holds(own) == before


def test_again_with_terraform_interrupted_and_the_cloud_killed(terraform, env, own):
    # Both are cut off while they wait for networks and keys: an answer lost to a call that makes a bucket or a subnet would leave what
    # Terraform does not know of, here as on AWS.
    p = terraform.start("apply", "-auto-approve", *FAST, env=env)
    wait_for_lines(p, "Creation complete", {"aws_s3_bucket_policy": 3, "aws_s3_bucket_public_access": 3, "aws_iam_role_policy": 3, "password_policy": 1})
    time.sleep(1)
    os.killpg(p.pid, signal.SIGINT)
    code, text = ended(p)
    assert code == 1 and "Interrupt" in text, text[-3000:]
    made = terraform.addresses(env)
    assert made
    # The cloud dies in the middle, and comes back on its data and port.
    wanted = {"aws_kms_alias": 3, "aws_cloudwatch_log_group": 3, "aws_s3_bucket_server_side": 3, "aws_route_table_association": 6}
    p = terraform.start("apply", "-auto-approve", *FAST, env=env)
    wait_for_lines(p, "Creation complete", {kind: n - sum(kind in a for a in made) for kind, n in wanted.items()})
    own.kill()
    time.sleep(1)
    own.start()
    code, text = ended(p)
    assert code in (0, 1), text[-3000:]
    terraform.run("apply", "-auto-approve", *FAST, env=env)
    unchanged(terraform, env)
    terraform.run("destroy", "-auto-approve", *FAST, env=env)
    assert terraform.addresses(env) == []
