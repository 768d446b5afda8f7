# SPDX-License-Identifier: Apache-2.0
"""`cloudkeep prove`: on the reference stack every proof holds; each promise weakened in turn, by the template or behind the
stack's back, is caught and named; and nothing stays behind."""
import json
import os
import pathlib
import re
import signal
import subprocess
import time
import xml.etree.ElementTree as ET

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
BINARY = pathlib.Path(os.environ.get("CLOUDKEEP_BUILD", ROOT / "build")).resolve() / "src" / "cli" / "cloudkeep"
TEMPLATE = ROOT / "stacks" / "secure-multi-region" / "template.yaml"
EAST, WEST = "us-east-1", "us-west-2"


def client(cloud, service, region=EAST):
    """Clients are slow to make: one of each is enough."""
    made = cloud.__dict__.setdefault("clients", {})
    if (service, region) not in made:
        made[service, region] = cloud.client(service, region=region)
    return made[service, region]


def command(cloud, *args, **kw):
    return subprocess.run([str(BINARY), *args, "--data", str(cloud.data)], capture_output=True, text=True, timeout=120, **kw)


def deploy(cloud, name, text, regions=EAST, project="tap-dev"):
    path = cloud.data.parent / (name + ".yaml")
    path.write_text(text)
    r = command(cloud, "deploy", name, "--template", str(path), "--regions", regions, "--parameter", "ProjectName=" + project)
    assert r.returncode == 0, r.stdout + r.stderr


def prove(cloud, stack, *args):
    r = command(cloud, "prove", stack, "--json", *args)
    report = json.loads(r.stdout) if r.stdout.startswith("{") else {"proofs": []}
    assert report.get("leftBehind", 0) == 0, r.stderr
    return r.returncode, report, r.stderr


def broken(report):
    return {p["promise"] for p in report["proofs"] if p["verdict"] == "broken"}


def untried(report):
    return [(p["promise"], p["attempt"], p["got"]) for p in report["proofs"] if p["verdict"] == "untried"]


def resources(cloud, stack, region=EAST):
    pages = client(cloud, "cloudformation", region).get_paginator("list_stack_resources").paginate(StackName=stack)
    return {r["LogicalResourceId"]: r["PhysicalResourceId"] for page in pages for r in page["StackResourceSummaries"]}


def left_behind(cloud, stack="base"):
    """Whatever of a proof is still there: principals, objects, a statement in a bucket's policy, a key about to be deleted."""
    iam, s3, kms = client(cloud, "iam"), client(cloud, "s3"), client(cloud, "kms")
    names = [u["UserName"] for u in iam.list_users()["Users"]] + [r["RoleName"] for r in iam.list_roles()["Roles"]]
    found = [n for n in names if "cloudkeep-prove" in n]
    for b in s3.list_buckets()["Buckets"]:
        v = s3.list_object_versions(Bucket=b["Name"])
        found += [x["Key"] for x in v.get("Versions", []) + v.get("DeleteMarkers", [])]
        try:
            found += ["policy of " + b["Name"]] if "CloudkeepProve" in s3.get_bucket_policy(Bucket=b["Name"])["Policy"] else []
        except s3.exceptions.ClientError:
            pass
    key = resources(cloud, stack).get("EncryptionKey", "") if stack else None
    if key and kms.describe_key(KeyId=key)["KeyMetadata"]["KeyState"] != "Enabled":
        found.append(key)
    return found


@pytest.fixture(scope="module")
def base(cloud):
    deploy(cloud, "base", TEMPLATE.read_text(), EAST + "," + WEST)
    return cloud


# --- the stack as it should be ---

def test_every_promise_holds(base):
    code, report, err = prove(base, "base")
    assert (code, broken(report), untried(report)) == (0, set(), []), err
    assert report["regions"] == [EAST, WEST] and report["held"] > 250
    families = {p["family"] for p in report["proofs"]}
    assert families >= {"transport", "access", "encryption", "public", "recovery", "key use", "rotation", "trust", "privilege", "network",
                        "signatures", "trail", "control"}
    assert left_behind(base) == []


def test_it_says_which_statement_decided(base):
    _, report, _ = prove(base, "base", "--regions", EAST)
    tls = [p for p in report["proofs"] if p["promise"] == "DataBucket takes no plain HTTP"]
    assert len(tls) >= 6 and all(p["declared"] == "DataBucketPolicy, statement TlsOnly" for p in tls)
    assert all(p["decidedBy"] == "explicit deny in a resource-based policy: statement TlsOnly" and p["got"] == "AccessDenied" for p in tls)
    trail = [p for p in report["proofs"] if p["family"] == "trail"]
    assert len(trail) == 1 and trail[0]["expected"] == trail[0]["got"] and int(trail[0]["got"]) >= 15


def test_table_and_junit(base, tmp_path):
    out = tmp_path / "proof.xml"
    r = command(base, "prove", "base", "--junit", str(out))
    assert r.returncode == 0
    assert "DataBucket takes no plain HTTP  (DataBucketPolicy, statement TlsOnly)" in r.stdout and " 0 broken, 0 not tried" in r.stdout
    assert "\033[" not in r.stdout
    suites = ET.parse(out).getroot().findall("testsuite")
    assert [s.get("name") for s in suites] == ["base in " + EAST, "base in " + WEST]
    assert all(int(s.get("tests")) == len(s.findall("testcase")) > 100 and s.get("failures") == "0" for s in suites)


def test_what_cannot_be_tried_is_said(base):
    code, _, err = prove(base, "no-such-stack")
    assert code == 2 and "no-such-stack" in err
    code, _, err = prove(base, "base", "--regions", "eu-west-1")
    assert code == 2 and "does not exist" in err
    assert command(base, "prove").returncode == 2


# --- weakened behind the stack's back ---

def group(c, ids):
    return client(c, "ec2"), ids["SecurityGroup"]


ANYWHERE = [{"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}]
EVERYTHING = [{"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}]
ALL_ON = dict(BlockPublicAcls=True, BlockPublicPolicy=True, IgnorePublicAcls=True, RestrictPublicBuckets=True)


def keep_policy(c, bucket):
    return client(c, "s3").get_bucket_policy(Bucket=bucket)["Policy"]


def doc(*statements):
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def drift_bucket_policy(c, ids):
    s3, b = client(c, "s3"), ids["DataBucket"]
    old = keep_policy(c, b)
    s3.delete_bucket_policy(Bucket=b)
    return lambda: s3.put_bucket_policy(Bucket=b, Policy=old)


def drift_half_tls(c, ids):
    """Reads are still denied over plain HTTP, writes no longer."""
    s3, b = client(c, "s3"), ids["LogsBucket"]
    old = keep_policy(c, b)
    s3.put_bucket_policy(Bucket=b, Policy=old.replace('"s3:*"', '"s3:Get*"'))
    return lambda: s3.put_bucket_policy(Bucket=b, Policy=old)


def drift_public_access(c, ids):
    s3, b = client(c, "s3"), ids["DataBucket"]
    s3.delete_public_access_block(Bucket=b)
    return lambda: s3.put_public_access_block(Bucket=b, PublicAccessBlockConfiguration=ALL_ON)


def drift_one_switch(c, ids):
    s3, b = client(c, "s3"), ids["DataBucket"]
    s3.put_public_access_block(Bucket=b, PublicAccessBlockConfiguration=dict(ALL_ON, RestrictPublicBuckets=False))
    return lambda: s3.put_public_access_block(Bucket=b, PublicAccessBlockConfiguration=ALL_ON)


def drift_open_bucket(c, ids):
    s3, b = client(c, "s3"), ids["DataBucket"]
    old = keep_policy(c, b)
    account = {"Effect": "Allow", "Principal": "*", "Action": "s3:*", "Resource": ["arn:aws:s3:::" + b, "arn:aws:s3:::%s/*" % b],
               "Condition": {"StringEquals": {"aws:PrincipalAccount": c.account}}}
    s3.put_bucket_policy(Bucket=b, Policy=doc(*json.loads(old)["Statement"], account))
    return lambda: s3.put_bucket_policy(Bucket=b, Policy=old)


def drift_versioning(c, ids):
    s3, b = client(c, "s3"), ids["LogsBucket"]
    s3.put_bucket_versioning(Bucket=b, VersioningConfiguration={"Status": "Suspended"})
    return lambda: s3.put_bucket_versioning(Bucket=b, VersioningConfiguration={"Status": "Enabled"})


def drift_encryption(c, ids):
    s3, b = client(c, "s3"), ids["DataBucket"]
    old = s3.get_bucket_encryption(Bucket=b)["ServerSideEncryptionConfiguration"]
    rule = {"Rules": [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}]}
    s3.put_bucket_encryption(Bucket=b, ServerSideEncryptionConfiguration=rule)
    return lambda: s3.put_bucket_encryption(Bucket=b, ServerSideEncryptionConfiguration=old)


def drift_other_key(c, ids):
    s3, kms, b = client(c, "s3"), client(c, "kms"), ids["DataBucket"]
    old = s3.get_bucket_encryption(Bucket=b)["ServerSideEncryptionConfiguration"]
    opened = doc({"Effect": "Allow", "Principal": "*", "Action": "kms:*", "Resource": "*"})
    key = kms.create_key(Policy=opened, BypassPolicyLockoutSafetyCheck=True)["KeyMetadata"]["Arn"]
    rule = {"Rules": [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": key}}]}
    s3.put_bucket_encryption(Bucket=b, ServerSideEncryptionConfiguration=rule)
    return lambda: s3.put_bucket_encryption(Bucket=b, ServerSideEncryptionConfiguration=old)


def drift_key_policy(c, ids):
    kms, k = client(c, "kms"), ids["EncryptionKey"]
    old = kms.get_key_policy(KeyId=k, PolicyName="default")["Policy"]
    opened = doc({"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "kms:*", "Resource": "*"})
    kms.put_key_policy(KeyId=k, PolicyName="default", Policy=opened, BypassPolicyLockoutSafetyCheck=True)
    return lambda: kms.put_key_policy(KeyId=k, PolicyName="default", Policy=old)


def drift_rotation(c, ids):
    kms, k = client(c, "kms"), ids["EncryptionKey"]
    kms.disable_key_rotation(KeyId=k)
    return lambda: kms.enable_key_rotation(KeyId=k)


def drift_role_policy(c, ids):
    iam, r = client(c, "iam"), ids["EC2Role"]
    iam.put_role_policy(RoleName=r, PolicyName="more", PolicyDocument=doc({"Effect": "Allow", "Action": "s3:*", "Resource": "*"}))
    return lambda: iam.delete_role_policy(RoleName=r, PolicyName="more")


def drift_role_attached(c, ids):
    iam, r = client(c, "iam"), ids["EC2Role"]
    iam.attach_role_policy(RoleName=r, PolicyArn="arn:aws:iam::aws:policy/AdministratorAccess")
    return lambda: iam.detach_role_policy(RoleName=r, PolicyArn="arn:aws:iam::aws:policy/AdministratorAccess")


def drift_trust(c, ids):
    iam, r = client(c, "iam"), ids["EC2Role"]
    old = json.dumps(iam.get_role(RoleName=r)["Role"]["AssumeRolePolicyDocument"])
    everyone = doc({"Effect": "Allow", "Principal": {"AWS": c.account}, "Action": "sts:AssumeRole"})
    iam.update_assume_role_policy(RoleName=r, PolicyDocument=everyone)
    return lambda: iam.update_assume_role_policy(RoleName=r, PolicyDocument=old)


def drift_ingress(c, ids):
    ec2, g = group(c, ids)
    ec2.authorize_security_group_ingress(GroupId=g, IpPermissions=ANYWHERE)
    return lambda: ec2.revoke_security_group_ingress(GroupId=g, IpPermissions=ANYWHERE)


def drift_egress(c, ids):
    ec2, g = group(c, ids)
    ec2.authorize_security_group_egress(GroupId=g, IpPermissions=EVERYTHING)
    return lambda: ec2.revoke_security_group_egress(GroupId=g, IpPermissions=EVERYTHING)


def drift_route(c, ids):
    ec2, t = client(c, "ec2"), ids["PrivateSubnet1RouteTable"]
    ec2.create_route(RouteTableId=t, DestinationCidrBlock="0.0.0.0/0", GatewayId=ids["InternetGateway"])
    return lambda: ec2.delete_route(RouteTableId=t, DestinationCidrBlock="0.0.0.0/0")


def drift_other_table(c, ids):
    """The private subnet is put under the public subnet's route table."""
    ec2 = client(c, "ec2")
    tables = ec2.describe_route_tables(RouteTableIds=[ids["PrivateSubnet2RouteTable"]])["RouteTables"]
    old = tables[0]["Associations"][0]["RouteTableAssociationId"]
    new = ec2.replace_route_table_association(AssociationId=old, RouteTableId=ids["PublicSubnet1RouteTable"])["NewAssociationId"]
    return lambda: ec2.replace_route_table_association(AssociationId=new, RouteTableId=ids["PrivateSubnet2RouteTable"])


def drift_public_ip(c, ids):
    ec2, s = client(c, "ec2"), ids["PrivateSubnet1"]
    ec2.modify_subnet_attribute(SubnetId=s, MapPublicIpOnLaunch={"Value": True})
    return lambda: ec2.modify_subnet_attribute(SubnetId=s, MapPublicIpOnLaunch={"Value": False})


USE = "EncryptionKey is used only by those whom its policy lets"
BEYOND, POLICIES = "EC2Role does nothing beyond its declared policies", "EC2Role has no policies but the declared ones"
PUBLIC, TLS = "DataBucket cannot be made public", "DataBucket takes no plain HTTP"
DRIFTS = {
    drift_bucket_policy: {TLS},
    drift_half_tls: {"LogsBucket takes no plain HTTP"},
    drift_public_access: {PUBLIC},
    drift_one_switch: {PUBLIC},
    drift_open_bucket: {"DataBucket lets no outsider in", BEYOND},
    drift_versioning: {"LogsBucket keeps what is overwritten or deleted"},
    drift_encryption: {"DataBucket encrypts what is put there", "DataBucket is of no use without its key"},
    drift_other_key: {"DataBucket encrypts what is put there", "DataBucket is of no use without its key"},
    drift_key_policy: {USE, "EncryptionKey has the policy that was declared", BEYOND, "DataBucket is of no use without its key",
                       "LogsBucket is of no use without its key"},
    drift_rotation: {"EncryptionKey is rotated"},
    drift_role_policy: {BEYOND, POLICIES},
    drift_role_attached: {BEYOND, POLICIES},
    drift_trust: {"EC2Role is assumed only by those whom it trusts", "EC2Role trusts those who were declared"},
    drift_ingress: {"SecurityGroup lets in only what is declared", "SecurityGroup is not open to the world"},
    drift_egress: {"SecurityGroup lets out only what is declared"},
    drift_route: {"PrivateSubnet1 has no way to the internet"},
    drift_other_table: {"PrivateSubnet2 has no way to the internet"},
    drift_public_ip: {"PrivateSubnet1 has no way to the internet"},
}


@pytest.mark.parametrize("weaken", DRIFTS, ids=lambda f: f.__name__)
def test_drift_is_caught(base, weaken):
    repair = weaken(base, resources(base, "base"))
    try:
        code, report, err = prove(base, "base", "--regions", EAST)
    finally:
        repair()
    assert (code, broken(report), untried(report)) == (1, DRIFTS[weaken], []), err
    assert left_behind(base) == []


def test_after_all_repairs_it_holds_again(base):
    code, report, err = prove(base, "base")
    assert (code, broken(report), untried(report)) == (0, set(), []), err


def test_a_stopped_key_is_noticed(base):
    kms, key = client(base, "kms"), resources(base, "base")["EncryptionKey"]
    kms.disable_key(KeyId=key)
    try:
        code, report, _ = prove(base, "base", "--regions", EAST)
    finally:
        kms.enable_key(KeyId=key)
    assert code == 1 and "EncryptionKey cannot vanish at once" in broken(report)
    assert left_behind(base) == []


# --- weakened by its template ---

def without(text, name):
    """The template without a resource."""
    out, n = re.subn(r"(?ms)^  %s:\n.*?(?=^  \w|^\w)" % name, "", text)
    assert n == 1
    return out


def changed(text, old, new, count=1):
    assert old in text
    return text.replace(old, new, count)


OPEN_KEY = ('Principal: { AWS: !Sub "arn:${AWS::Partition}:iam::${AWS::AccountId}:root" }\n            Action: kms:*',
            'Principal: { AWS: "*" }\n            Action: kms:*')
WIDE_ROLE = ("Action: [kms:Decrypt, kms:DescribeKey, kms:GenerateDataKey]\n            Resource: !GetAtt EncryptionKey.Arn",
             'Action: ["s3:*"]\n            Resource: "*"')
OPEN_PORT = ("{ IpProtocol: tcp, FromPort: 443, ToPort: 443, CidrIp: 10.0.0.0/8, Description: HTTPS access from private network }",
             "{ IpProtocol: tcp, FromPort: 22, ToPort: 22, CidrIp: 0.0.0.0/0 }")
NO_BLOCK = ("PublicAccessBlockConfiguration: { BlockPublicAcls: true, BlockPublicPolicy: true, IgnorePublicAcls: true, RestrictPublicBuckets: true }",
            "PublicAccessBlockConfiguration: { BlockPublicAcls: false, BlockPublicPolicy: false, IgnorePublicAcls: false, RestrictPublicBuckets: false }")
ROUTE = """  PrivateDefaultRoute:
    Type: AWS::EC2::Route
    DependsOn: VPCGatewayAttachment
    Properties: { RouteTableId: !Ref PrivateSubnet1RouteTable, DestinationCidrBlock: 0.0.0.0/0, GatewayId: !Ref InternetGateway }
"""
WEAKER = {
    "no-tls": (lambda t: without(t, "DataBucketPolicy"), {TLS}),
    "public-access": (lambda t: changed(t, *NO_BLOCK), {PUBLIC}),
    "open-key": (lambda t: changed(t, *OPEN_KEY), {USE, "DataBucket is of no use without its key", "LogsBucket is of no use without its key", BEYOND}),
    "no-rotation": (lambda t: changed(t, "EnableKeyRotation: true", "EnableKeyRotation: false"), {"EncryptionKey is rotated"}),
    "wide-role": (lambda t: changed(t, *WIDE_ROLE), {"EC2Role has no rights of an administrator"}),
    "open-port": (lambda t: changed(t, *OPEN_PORT), {"SecurityGroup is not open to the world"}),
    "private-route": (lambda t: changed(t, "  PublicSubnet2:\n", ROUTE + "  PublicSubnet2:\n"), {"PrivateSubnet1 has no way to the internet"}),
    "public-addresses": (lambda t: changed(t, "MapPublicIpOnLaunch: false", "MapPublicIpOnLaunch: true"), {"PrivateSubnet1 has no way to the internet"}),
    "no-versions": (lambda t: changed(t, "VersioningConfiguration: { Status: Enabled }", "VersioningConfiguration: { Status: Suspended }"),
                    {"DataBucket keeps what is overwritten or deleted"}),
}


@pytest.mark.parametrize("name", WEAKER)
def test_a_weaker_template_is_caught(base, name):
    weaken, expected = WEAKER[name]
    deploy(base, "weak-" + name, weaken(TEMPLATE.read_text()), project="w-" + name)
    try:
        code, report, err = prove(base, "weak-" + name, "--regions", EAST)
    finally:
        r = command(base, "destroy", "weak-" + name, "--regions", EAST)
    assert (code, broken(report), untried(report)) == (1, expected, []), err
    assert r.returncode == 0, r.stdout + r.stderr  # no object of ours was left in its buckets
    assert left_behind(base, None) == []


def test_what_is_not_declared_is_only_baseline(base):
    deploy(base, "baseline", without(TEMPLATE.read_text(), "DataBucketPolicy"), project="nb")
    try:
        code, report, _ = prove(base, "baseline", "--regions", EAST)
        assert code == 1 and {p["declared"] for p in report["proofs"] if p["verdict"] == "broken"} == {"baseline"}
        code, report, _ = prove(base, "baseline", "--regions", EAST, "--declared")
        skipped = [p for p in report["proofs"] if p["promise"] == TLS]
        assert code == 0 and [(p["verdict"], p["reason"]) for p in skipped] == [("skipped", "the stack does not promise it")]
    finally:
        command(base, "destroy", "baseline", "--regions", EAST)


def test_a_waiver_is_shown_with_its_reason(base):
    text = changed(without(TEMPLATE.read_text(), "DataBucketPolicy"), "  DataBucket:\n    Type: AWS::S3::Bucket\n",
                   "  DataBucket:\n    Type: AWS::S3::Bucket\n    Metadata: { Cloudkeep::Prove: { Waive: { transport: the scanners are old } } }\n")
    deploy(base, "waived", text, project="wv")
    try:
        code, report, _ = prove(base, "waived", "--regions", EAST)
    finally:
        command(base, "destroy", "waived", "--regions", EAST)
    tls = [p for p in report["proofs"] if p["promise"] == TLS]
    assert code == 0 and [(p["verdict"], p["reason"]) for p in tls] == [("skipped", "waived in the template: the scanners are old")]


# --- promises that the reference stack does not make ---

OTHER = """
AWSTemplateFormatVersion: "2010-09-09"
Parameters:
  Prefix: { Type: String, Default: other }
Resources:
  Secret:
    Type: AWS::SSM::Parameter
    Properties: { Type: String, Name: !Sub "/${Prefix}/secret", Value: hush }
  Key:
    Type: AWS::KMS::Key
    Properties:
      EnableKeyRotation: true
      RotationPeriodInDays: 180
      KeyPolicy:
        Version: "2012-10-17"
        Statement:
          - { Effect: Allow, Principal: { AWS: !Sub "arn:aws:iam::${AWS::AccountId}:root" }, Action: "kms:*", Resource: "*" }
          - Sid: NeverEncrypt
            Effect: Deny
            Principal: "*"
            Action: kms:Encrypt
            Resource: "*"
            Condition: { ArnLike: { "aws:PrincipalArn": "arn:aws:iam::*:user/cloudkeep-prove/*-nobody" } }
  Strict:
    Type: AWS::S3::Bucket
    Properties:
      BucketName: !Sub "${Prefix}-strict"
      BucketEncryption: { ServerSideEncryptionConfiguration: [{ ServerSideEncryptionByDefault: { SSEAlgorithm: "aws:kms", KMSMasterKeyID: !Ref Key } }] }
      PublicAccessBlockConfiguration: { BlockPublicAcls: true, BlockPublicPolicy: true, IgnorePublicAcls: true, RestrictPublicBuckets: true }
      OwnershipControls: { Rules: [{ ObjectOwnership: BucketOwnerPreferred }] }
      VersioningConfiguration: { Status: Enabled }
  StrictPolicy:
    Type: AWS::S3::BucketPolicy
    Properties:
      Bucket: !Ref Strict
      PolicyDocument:
        Version: "2012-10-17"
        Statement:
          - { Sid: Tls, Effect: Deny, Principal: "*", Action: "s3:*", Resource: [!GetAtt Strict.Arn, !Sub "${Strict.Arn}/*"], Condition: { Bool: { "aws:SecureTransport": false } } }
          - { Sid: AskForKms, Effect: Deny, Principal: "*", Action: "s3:PutObject", Resource: !Sub "${Strict.Arn}/*", Condition: { StringNotEquals: { "s3:x-amz-server-side-encryption": "aws:kms" } } }
  Boundary:
    Type: AWS::IAM::ManagedPolicy
    Properties:
      PolicyDocument: { Version: "2012-10-17", Statement: [{ Effect: Allow, Action: ["kms:*", "ssm:*"], Resource: "*" }] }
  Worker:
    Type: AWS::IAM::Role
    Properties:
      PermissionsBoundary: !Ref Boundary
      AssumeRolePolicyDocument: { Version: "2012-10-17", Statement: [{ Effect: Allow, Principal: { Service: lambda.amazonaws.com }, Action: "sts:AssumeRole" }] }
      Policies:
        - PolicyName: work
          PolicyDocument: { Version: "2012-10-17", Statement: [{ Effect: Allow, Action: ["ssm:GetParameter", "iam:CreateUser", "s3:PutObject"], Resource: "*" }] }
  Reader: # trusts the account: whoever has the right to assume it there may
    Type: AWS::IAM::Role
    Properties:
      AssumeRolePolicyDocument: { Version: "2012-10-17", Statement: [{ Effect: Allow, Principal: { AWS: !Ref AWS::AccountId }, Action: "sts:AssumeRole" }] }
      ManagedPolicyArns: [!Ref ReadSecret]
  ReadSecret:
    Type: AWS::IAM::ManagedPolicy
    Properties:
      PolicyDocument: { Version: "2012-10-17", Statement: [{ Effect: Allow, Action: "ssm:GetParameter", Resource: !Sub "arn:aws:ssm:*:${AWS::AccountId}:parameter/${Prefix}/*" }] }
"""


@pytest.fixture(scope="module")
def other(cloud):
    path = cloud.data.parent / "other.yaml"
    path.write_text(OTHER)
    r = command(cloud, "deploy", "other", "--template", str(path), "--regions", EAST)
    assert r.returncode == 0, r.stdout + r.stderr
    return cloud


def test_other_promises_hold(other):
    code, report, err = prove(other, "other", "--regions", EAST)
    assert (code, broken(report), untried(report)) == (0, set(), []), err
    said = {(p["promise"], p["attempt"], p["got"]) for p in report["proofs"] if p["verdict"] == "held"}
    demanded = "Strict takes no write without the demanded encryption"
    assert (demanded, "PUT an object asking for no encryption, a user with all rights", "AccessDenied") in said
    assert (demanded, "PUT an object asking for AES256, a user with all rights", "AccessDenied") in said
    assert ("Strict cannot be made public", "put an object with a public ACL, a user with all rights", "AccessDenied") in said
    assert ("Key is rotated", "days between rotations", "180") in said
    assert ("Secret is read by no outsider", "GetParameter, a user without rights", "AccessDeniedException") in said
    assert ("Reader does what it may", "ssm:GetParameter: Secret", "allowed (200)") in said
    encrypt = [p for p in report["proofs"] if p.get("attempt") == "Encrypt, a user without rights"]
    assert "explicit deny" in encrypt[0]["decidedBy"] and "key policy" in encrypt[0]["decidedBy"]
    assert left_behind(other, "other") == []


def drift_demand(c, ids):
    s3, b = client(c, "s3"), ids["Strict"]
    old = keep_policy(c, b)
    s3.put_bucket_policy(Bucket=b, Policy=doc(json.loads(old)["Statement"][0]))
    return lambda: s3.put_bucket_policy(Bucket=b, Policy=old)


def drift_boundary(c, ids):
    """The boundary of a role is taken away: what its policies allow, it may."""
    iam, r = client(c, "iam"), ids["Worker"]
    old = iam.get_role(RoleName=r)["Role"]["PermissionsBoundary"]["PermissionsBoundaryArn"]
    iam.delete_role_permissions_boundary(RoleName=r)
    return lambda: iam.put_role_permissions_boundary(RoleName=r, PermissionsBoundary=old)


def drift_managed_version(c, ids):
    iam, arn = client(c, "iam"), ids["ReadSecret"]
    wide = doc({"Effect": "Allow", "Action": ["ssm:*", "kms:*"], "Resource": "*"})
    v = iam.create_policy_version(PolicyArn=arn, PolicyDocument=wide, SetAsDefault=True)["PolicyVersion"]["VersionId"]

    def repair():
        iam.set_default_policy_version(PolicyArn=arn, VersionId="v1")
        iam.delete_policy_version(PolicyArn=arn, VersionId=v)
    return repair


@pytest.mark.parametrize("weaken,expected", [
    (drift_demand, {"Strict takes no write without the demanded encryption"}),
    (drift_boundary, {"Worker stays within its boundary", "Worker does nothing beyond its declared policies"}),
    (drift_managed_version, {"Reader does nothing beyond its declared policies", "Reader has no policies but the declared ones"}),
], ids=lambda x: getattr(x, "__name__", ""))
def test_other_drift_is_caught(other, weaken, expected):
    repair = weaken(other, resources(other, "other"))
    try:
        code, report, err = prove(other, "other", "--regions", EAST)
    finally:
        repair()
    assert (code, broken(report), untried(report)) == (1, expected, []), err
    assert left_behind(other, "other") == []


# --- deletion ---

def test_termination_protection_is_attacked(base):
    cfn = client(base, "cloudformation")
    cfn.update_termination_protection(StackName="base", EnableTerminationProtection=True)
    try:
        code, report, _ = prove(base, "base", "--regions", EAST)
    finally:
        cfn.update_termination_protection(StackName="base", EnableTerminationProtection=False)
    tried = [p for p in report["proofs"] if p["promise"] == "the stack cannot be deleted"]
    assert code == 0 and [(p["verdict"], p["got"]) for p in tried] == [("held", "ValidationError")]
    assert cfn.describe_stacks(StackName="base")["Stacks"][0]["StackStatus"] == "CREATE_COMPLETE"


# --- whatever happens ---

@pytest.mark.parametrize("after", [0.02, 0.1, 0.25, 0.5])
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_it_leaves_nothing(base, after, how):
    p = subprocess.Popen([str(BINARY), "prove", "base", "--data", str(base.data)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    time.sleep(after)
    p.send_signal(how)
    out, err = p.communicate(timeout=60)
    finished = p.returncode == 0 and "Everything made for the proof was removed" in out  # a quick machine is done by then
    assert finished or p.returncode == 2 or (p.returncode == -how and not out), out + err  # before it began, it just ends
    assert left_behind(base) == []


def under_way(cloud, **streams):
    """A proof of "base" that has put objects into its bucket. One that was quicker than we looked is begun again."""
    s3, bucket = client(cloud, "s3"), resources(cloud, "base")["DataBucket"]
    while True:
        p = subprocess.Popen([str(BINARY), "prove", "base", "--json", "--data", str(cloud.data)], **streams)
        while p.poll() is None:
            if s3.list_object_versions(Bucket=bucket).get("Versions"):
                return p
        assert p.returncode == 0


def test_what_a_killed_run_left_is_swept(base):
    iam = client(base, "iam")
    p = under_way(base, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    p.kill()
    p.wait()
    assert any("cloudkeep-prove" in u["UserName"] for u in iam.list_users()["Users"])
    r = command(base, "clock", "+2h")
    assert r.returncode == 0, r.stdout + r.stderr
    code, report, err = prove(base, "base")
    assert code == 0, err
    assert left_behind(base) == []


def test_someone_without_rights_is_told_so(base):
    u = base.user("prove-nobody")
    env = dict(os.environ, AWS_ACCESS_KEY_ID=u["AccessKeyId"], AWS_SECRET_ACCESS_KEY=u["SecretAccessKey"], AWS_CA_BUNDLE=base.ca, AWS_REGION=EAST)
    r = subprocess.run([str(BINARY), "prove", "base", "--endpoint-url", base.https], capture_output=True, text=True, env=env, timeout=60)
    assert r.returncode == 2 and "AccessDenied" in r.stderr


def test_the_address_must_be_encrypted(base):
    env = dict(os.environ, AWS_ACCESS_KEY_ID=base.key, AWS_SECRET_ACCESS_KEY=base.secret, AWS_REGION=EAST)
    r = subprocess.run([str(BINARY), "prove", "base", "--endpoint-url", base.http], capture_output=True, text=True, env=env, timeout=60)
    assert r.returncode == 2 and "not encrypted" in r.stderr
