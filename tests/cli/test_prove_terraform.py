# SPDX-License-Identifier: Apache-2.0
"""`cloudkeep prove --terraform`: what a Terraform state says is attacked as a stack's declarations are. The state is written
here, about resources that boto3 made; tests/tools runs it on what Terraform itself has deployed."""
import json
import os
import pathlib
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
BINARY = pathlib.Path(os.environ.get("CLOUDKEEP_BUILD", ROOT / "build")).resolve() / "src" / "cli" / "cloudkeep"
REGIONS = ["us-east-1", "eu-central-1"]
PASSWORDS = {"MinimumPasswordLength": 14, "RequireSymbols": True, "RequireNumbers": True, "RequireUppercaseCharacters": True,
             "RequireLowercaseCharacters": True, "AllowUsersToChangePassword": True, "HardExpiry": True, "PasswordReusePrevention": 5,
             "MaxPasswordAge": 90}


def secure_transport(bucket):
    return json.dumps({"Version": "2012-10-17", "Statement": [
        {"Sid": "TlsOnly", "Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": ["arn:aws:s3:::" + bucket, "arn:aws:s3:::%s/*" % bucket],
         "Condition": {"Bool": {"aws:SecureTransport": "false"}}}]})


def make(cloud, region):
    """One region's resources; returns what Terraform would say of them."""
    s3, kms, ec2 = (cloud.client(s, region=region) for s in ("s3", "kms", "ec2"))
    bucket, at = "tf-" + region, {} if region == "us-east-1" else {"CreateBucketConfiguration": {"LocationConstraint": region}}
    group_arn = "arn:aws:logs:%s:%s:log-group:/app/%s" % (region, cloud.account, region)
    key_policy = json.dumps({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::%s:root" % cloud.account}, "Action": "kms:*", "Resource": "*"},
        {"Effect": "Allow", "Principal": {"Service": "logs.%s.amazonaws.com" % region},
         "Action": ["kms:Encrypt", "kms:Decrypt", "kms:ReEncrypt*", "kms:GenerateDataKey*", "kms:DescribeKey"], "Resource": "*",
         "Condition": {"ArnEquals": {"kms:EncryptionContext:aws:logs:arn": group_arn}}}]})
    key = kms.create_key(Policy=key_policy)["KeyMetadata"]
    kms.enable_key_rotation(KeyId=key["KeyId"])
    cloud.client("ssm", region=region).put_parameter(Name="/app/secret", Type="SecureString", KeyId=key["KeyId"], Value="hush")
    logs = cloud.client("logs", region=region)
    logs.create_log_group(logGroupName="/app/" + region, kmsKeyId=key["Arn"])
    logs.put_retention_policy(logGroupName="/app/" + region, retentionInDays=90)
    s3.create_bucket(Bucket=bucket, **at)
    s3.put_bucket_policy(Bucket=bucket, Policy=secure_transport(bucket))
    s3.put_bucket_encryption(Bucket=bucket, ServerSideEncryptionConfiguration={"Rules": [{"ApplyServerSideEncryptionByDefault": {
        "SSEAlgorithm": "aws:kms", "KMSMasterKeyID": key["Arn"]}, "BucketKeyEnabled": True}]})
    s3.put_public_access_block(Bucket=bucket, PublicAccessBlockConfiguration={
        "BlockPublicAcls": True, "BlockPublicPolicy": True, "IgnorePublicAcls": True, "RestrictPublicBuckets": True})
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    group = ec2.create_security_group(GroupName="g", Description="d", VpcId=vpc)["GroupId"]
    ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[
        {"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443, "IpRanges": [{"CidrIp": "10.0.0.0/16"}]}])

    def arn(kind, i):
        return "arn:aws:ec2:%s:%s:%s/%s" % (region, cloud.account, kind, i)
    return {
        "aws_kms_key.k": {"id": key["KeyId"], "key_id": key["KeyId"], "arn": key["Arn"], "enable_key_rotation": True, "policy": key_policy, "tags": None},
        "aws_s3_bucket.b": {"id": bucket, "bucket": bucket, "arn": "arn:aws:s3:::" + bucket, "region": region, "tags": {"a": "b"}},
        "aws_s3_bucket_policy.p": {"id": bucket, "bucket": bucket, "policy": secure_transport(bucket)},
        "aws_s3_bucket_server_side_encryption_configuration.e": {"id": bucket, "bucket": bucket, "rule": [
            {"apply_server_side_encryption_by_default": [{"sse_algorithm": "aws:kms", "kms_master_key_id": key["Arn"]}], "bucket_key_enabled": True}]},
        "aws_s3_bucket_versioning.v": {"id": bucket, "bucket": bucket, "versioning_configuration": [{"status": "Enabled"}]},
        "aws_s3_bucket_public_access_block.p": {"id": bucket, "bucket": bucket, "block_public_acls": True, "block_public_policy": True,
                                                "ignore_public_acls": True, "restrict_public_buckets": True},
        "aws_vpc.v": {"id": vpc, "arn": arn("vpc", vpc), "cidr_block": "10.0.0.0/16"},
        "aws_security_group.g": {"id": group, "arn": arn("security-group", group), "name": "g", "description": "d", "vpc_id": vpc,
                                 "egress": [{"protocol": "-1", "from_port": 0, "to_port": 0, "cidr_blocks": ["0.0.0.0/0"], "self": False}],
                                 "ingress": []},
        "aws_security_group_rule.r": {"id": "sgr", "security_group_id": group, "type": "ingress", "protocol": "tcp", "from_port": 443,
                                      "to_port": 443, "cidr_blocks": ["10.0.0.0/16"], "self": False},
        "aws_cloudwatch_log_group.l": {"id": "/app/" + region, "name": "/app/" + region, "arn": group_arn, "kms_key_id": key["Arn"],
                                       "retention_in_days": 90, "tags": {}},
        "aws_ssm_parameter.s": {"id": "/app/secret", "name": "/app/secret", "type": "SecureString", "key_id": key["KeyId"],
                                "arn": "arn:aws:ssm:%s:%s:parameter/app/secret" % (region, cloud.account)},
        "random_id.x": {"id": "x"},
    }


def shown(modules):
    return {"format_version": "1.0", "values": {"root_module": {"child_modules": [{"address": "module." + m, "resources": [
        {"address": "module.%s.%s" % (m, a), "mode": "managed", "type": a.split(".")[0], "name": a.split(".")[1], "values": v}
        for a, v in r.items()]} for m, r in modules.items()]}}}


def state(modules):
    return {"version": 4, "resources": [{"module": "module." + m, "mode": "managed", "type": a.split(".")[0], "name": a.split(".")[1],
                                         "instances": [{"attributes": v}]} for m, r in modules.items() for a, v in r.items()]}


@pytest.fixture(scope="module")
def world(cloud):
    p = subprocess.run([str(BINARY), "region", "start", "eu-central-1", "--data", str(cloud.data)], capture_output=True, text=True)
    assert p.returncode == 0, p.stderr
    made = {r: make(cloud, r) for r in REGIONS}
    cloud.client("iam").update_account_password_policy(**PASSWORDS)
    made["us-east-1"]["aws_iam_account_password_policy.p"] = {
        "id": "iam-account-password-policy", "expire_passwords": True, "minimum_password_length": 14, "require_symbols": True,
        "require_numbers": True, "require_uppercase_characters": True, "require_lowercase_characters": True,
        "allow_users_to_change_password": True, "hard_expiry": True, "password_reuse_prevention": 5, "max_password_age": 90}
    return made


def prove(cloud, document, *args):
    p = subprocess.run([str(BINARY), "prove", "--terraform", "-", "--json", "--data", str(cloud.data), *args], input=json.dumps(document),
                       capture_output=True, text=True, timeout=120)
    return p.returncode, json.loads(p.stdout) if p.stdout.startswith("{") else None, p.stderr


def test_holds_in_all_regions(cloud, world):
    for document in (shown(world), state(world)):
        code, report, err = prove(cloud, document)
        assert report, err
        bad = [(p["promise"], p["attempt"], p["got"]) for p in report["proofs"] if p["verdict"] in ("broken", "untried")]
        assert bad == [] and code == 0
        assert {p["region"] for p in report["proofs"]} == set(REGIONS)
        assert {"transport", "encryption", "access", "public", "key use", "network", "passwords"} <= {p["family"] for p in report["proofs"]}
        assert "not looked at: module.us-east-1.random_id.x" in err and report["leftBehind"] == 0
        assert any("aws_s3_bucket" in p["promise"] or "aws_s3_bucket" in p["declared"] for p in report["proofs"])


def test_catches_what_was_changed_behind_its_back(cloud, world):
    ec2 = cloud.client("ec2")
    group = world["us-east-1"]["aws_security_group.g"]["id"]
    rule = [{"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}]
    ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=rule)
    cloud.client("s3").delete_bucket_policy(Bucket="tf-us-east-1")
    code, report, _ = prove(cloud, shown(world))
    ec2.revoke_security_group_ingress(GroupId=group, IpPermissions=rule)
    cloud.client("s3").put_bucket_policy(Bucket="tf-us-east-1", Policy=secure_transport("tf-us-east-1"))
    assert code == 1
    broken = [(p["family"], p["region"]) for p in report["proofs"] if p["verdict"] == "broken"]
    assert ("network", "us-east-1") in broken and ("transport", "us-east-1") in broken
    assert not [b for b in broken if b[1] == "eu-central-1" and b[0] in ("network", "transport")]


def promises(report, verdict="broken"):
    return {p["promise"] for p in report["proofs"] if p["verdict"] == verdict}


def test_catches_a_weak_password_policy(cloud, world):
    iam = cloud.client("iam")
    iam.update_account_password_policy(**dict(PASSWORDS, RequireSymbols=False, MinimumPasswordLength=8))
    code, report, _ = prove(cloud, shown({"us-east-1": world["us-east-1"]}))
    iam.update_account_password_policy(**PASSWORDS)
    assert code == 1 and report["leftBehind"] == 0
    bad = {p["attempt"] for p in report["proofs"] if p["verdict"] == "broken" and p["family"] == "passwords"}
    assert {"RequireSymbols", "MinimumPasswordLength", "CreateLoginProfile with 13 characters", "CreateLoginProfile against RequireSymbols"} == bad


def test_catches_what_happened_to_a_log_group(cloud, world):
    logs, kms = cloud.client("logs"), cloud.client("kms")
    key = world["us-east-1"]["aws_kms_key.k"]
    logs.put_retention_policy(logGroupName="/app/us-east-1", retentionInDays=1)
    kms.put_key_policy(KeyId=key["key_id"], PolicyName="default", Policy=key["policy"].replace("/app/us-east-1", "*"))
    code, report, _ = prove(cloud, shown({"us-east-1": world["us-east-1"]}))
    kms.put_key_policy(KeyId=key["key_id"], PolicyName="default", Policy=key["policy"])
    logs.put_retention_policy(logGroupName="/app/us-east-1", retentionInDays=90)
    assert code == 1 and report["leftBehind"] == 0
    bad = promises(report)
    name = "module.us-east-1.aws_cloudwatch_log_group.l"
    assert "%s keeps events as long as declared" % name in bad and "the key of %s seals no other log group" % name in bad
    assert not logs.describe_log_groups(logGroupNamePrefix="/cloudkeep-prove/")["logGroups"]
    logs.disassociate_kms_key(logGroupName="/app/us-east-1")
    _, report, _ = prove(cloud, shown({"us-east-1": world["us-east-1"]}))
    logs.associate_kms_key(logGroupName="/app/us-east-1", kmsKeyId=key["arn"])
    assert "%s is sealed with the declared key" % name in promises(report)


def test_catches_a_secret_in_the_clear(cloud, world):
    ssm, key = cloud.client("ssm"), world["us-east-1"]["aws_kms_key.k"]["key_id"]
    ssm.delete_parameter(Name="/app/secret")
    ssm.put_parameter(Name="/app/secret", Type="String", Value="hush")
    code, report, _ = prove(cloud, shown({"us-east-1": world["us-east-1"]}))
    ssm.delete_parameter(Name="/app/secret")
    ssm.put_parameter(Name="/app/secret", Type="SecureString", KeyId=key, Value="hush")
    assert code == 1 and promises(report) == {"module.us-east-1.aws_ssm_parameter.s is sealed"}


def test_a_tag_waives_with_its_reason(cloud, world):
    m = json.loads(json.dumps(world["us-east-1"]))
    m["aws_s3_bucket.b"]["tags"]["cloudkeep:waive:transport"] = "the old scanners speak no TLS"
    _, report, _ = prove(cloud, shown({"us-east-1": m}))
    waived = [p for p in report["proofs"] if p["verdict"] == "skipped" and "scanners" in json.dumps(p)]
    assert waived and not [p for p in report["proofs"] if p["family"] == "transport" and p["verdict"] == "held"]


@pytest.mark.parametrize("text,words", [("{}", "neither"), ("[1", "neither"), ('{"version":3,"resources":[]}', "neither"),
                                        ('{"values":{"root_module":{}}}', "without resources")])
def test_other_files(cloud, tmp_path, text, words):
    f = tmp_path / "x.json"
    f.write_text(text)
    p = subprocess.run([str(BINARY), "prove", "--terraform", str(f), "--data", str(cloud.data)], capture_output=True, text=True)
    assert p.returncode == 2 and words in p.stderr and "terraform show -json" in p.stderr
    p = subprocess.run([str(BINARY), "prove", "--data", str(cloud.data)], capture_output=True, text=True)
    assert p.returncode == 2 and "which stack" in p.stderr
    p = subprocess.run([str(BINARY), "prove", "x", "--terraform", str(f), "--data", str(cloud.data)], capture_output=True, text=True)
    assert p.returncode == 2 and "not both" in p.stderr
