# SPDX-License-Identifier: Apache-2.0
"""`cloudkeep prove` on templates: one stack in which each resource has one weakness, each of which is caught or said; and one that is
right and written in other ways, in which nothing is. Each is deployed and proved once."""
import json

import pytest

from test_prove import EAST, TEMPLATE, broken, command, deploy, left_behind, prove, under_way, untried

HEAD = """
AWSTemplateFormatVersion: "2010-09-09"
Parameters: { Prefix: { Type: String } }
Resources:
"""
ROOT = 'Principal: { AWS: !Sub "arn:aws:iam::${AWS::AccountId}:root" }, Action: "kms:*", Resource: "*"'
STRANGER = '{ AWS: "arn:aws:iam::999999999999:root" }'
TRUST = 'AssumeRolePolicyDocument: { Version: "2012-10-17", Statement: [{ Effect: Allow, Principal: %s, Action: "sts:AssumeRole"%s }] }'


def key(name, statement):
    return """  %s:
    Type: AWS::KMS::Key
    Properties: { EnableKeyRotation: true, KeyPolicy: { Version: "2012-10-17", Statement: [{ Effect: Allow, %s }, { Effect: Allow, %s }] } }
""" % (name, ROOT, statement)


def role(name, principal="{ Service: ec2.amazonaws.com }", condition="", actions=None, more=""):
    policy = ', Policies: [{ PolicyName: p, PolicyDocument: { Version: "2012-10-17", Statement: [{ Effect: Allow, %s, Resource: "*" }] } }]' % actions \
        if actions else ""
    return "  %s: { Type: AWS::IAM::Role, Properties: { %s%s%s } }\n" % (name, TRUST % (principal, condition), policy, more)


def group(name, rules):
    return "  %s: { Type: AWS::EC2::SecurityGroup, Properties: { GroupDescription: g, VpcId: !Ref Vpc, %s } }\n" % (name, rules)


WEAK = HEAD + key("StrangersKey", 'Principal: %s, Action: "kms:*", Resource: "*"' % STRANGER) \
    + key("ServiceKey", 'Principal: { Service: !Sub "logs.${AWS::Region}.amazonaws.com" }, Action: "kms:Encrypt*", Resource: "*"') \
    + key("GrantsKey", 'Principal: "*", Action: "kms:CreateGrant", Resource: "*", Condition: { StringEquals: { "kms:CallerAccount": !Ref "AWS::AccountId" } }') \
    + role("StrangersRole", STRANGER) \
    + role("TokensRole", '{ Federated: "accounts.google.com" }').replace("sts:AssumeRole", "sts:AssumeRoleWithWebIdentity") \
    + role("AccountsRole", "{ AWS: !Ref AWS::AccountId }") \
    + role("PassRole", actions='Action: "iam:PassRole"') + role("LogsRole", actions='Action: "logs:*"') \
    + role("NotRole", actions='NotAction: ["iam:*", "organizations:*"]') \
    + """  Admin: { Type: AWS::IAM::User, Properties: { ManagedPolicyArns: ["arn:aws:iam::aws:policy/AdministratorAccess"] } }
  Admins: { Type: AWS::IAM::Group, Properties: { ManagedPolicyArns: ["arn:aws:iam::aws:policy/AdministratorAccess"] } }
  AdminKey: { Type: AWS::IAM::AccessKey, Properties: { UserName: !Ref Admin } }
  Vpc: { Type: AWS::EC2::VPC, Properties: { CidrBlock: 10.0.0.0/16 } }
  Endpoint: { Type: AWS::EC2::VPCEndpoint, Properties: { VpcId: !Ref Vpc, ServiceName: !Sub "com.amazonaws.${AWS::Region}.s3" } }
  Group: { Type: AWS::Logs::LogGroup, Properties: { LogGroupName: !Sub "/${Prefix}" } }
  Account:
    Type: AWS::S3::Bucket
    Properties:
      BucketName: !Sub "${Prefix}-account"
      BucketEncryption: { ServerSideEncryptionConfiguration: [{ ServerSideEncryptionByDefault: { SSEAlgorithm: "aws:kms", KMSMasterKeyID: !Ref GrantsKey } }] }
  AccountPolicy:
    Type: AWS::S3::BucketPolicy
    Properties:
      Bucket: !Ref Account
      PolicyDocument:
        Version: "2012-10-17"
        Statement:
          - { Effect: Allow, Principal: { AWS: "*" }, Action: "s3:GetObject", Resource: !Sub "${Account.Arn}/*", Condition: { StringEquals: { "aws:PrincipalAccount": !Ref "AWS::AccountId" } } }
          - { Sid: Shared, Effect: Allow, Principal: %s, Action: "s3:GetObject", Resource: !Sub "${Account.Arn}/*" }
  Plain: { Type: AWS::S3::Bucket, Properties: { BucketName: !Sub "${Prefix}-plain" } }
""" % STRANGER \
    + group("Halves", "SecurityGroupIngress: [{ IpProtocol: tcp, FromPort: 22, ToPort: 22, CidrIp: 0.0.0.0/1 }, { IpProtocol: tcp, FromPort: 22, ToPort: 22, CidrIp: 128.0.0.0/1 }]") \
    + group("Web", "SecurityGroupIngress: [{ IpProtocol: tcp, FromPort: 443, ToPort: 443, CidrIp: 0.0.0.0/0 }], SecurityGroupEgress: [{ IpProtocol: '-1', CidrIp: 0.0.0.0/0 }]") \
    + group("Inner", "SecurityGroupIngress: [{ IpProtocol: '-1', CidrIp: 10.0.0.0/16 }]")

WEAK += """
  FnRole: { Type: AWS::IAM::Role, Properties: { %s } }
  Fn:
    Type: AWS::Lambda::Function
    Properties:
      Runtime: python3.12
      Handler: index.handler
      Role: !GetAtt FnRole.Arn
      Environment: { Variables: { NAME: value } }
      Code: { ZipFile: "def handler(e, c): return {'statusCode': 200, 'body': 'hi'}" }
  Permission: { Type: AWS::Lambda::Permission, Properties: { FunctionName: !Ref Fn, Action: "lambda:InvokeFunction", Principal: apigateway.amazonaws.com } }
  OpenFn: { Type: AWS::Lambda::Function, Properties: { Runtime: python3.12, Handler: index.handler, Role: !GetAtt FnRole.Arn, Code: { ZipFile: "x = 1" } } }
  Url: { Type: AWS::Lambda::Url, Properties: { TargetFunctionArn: !GetAtt OpenFn.Arn, AuthType: NONE } }
  Api: { Type: AWS::ApiGateway::RestApi, Properties: { Name: !Ref Prefix, Policy: { Version: "2012-10-17", Statement: [{ Effect: Allow, Principal: "*", Action: "execute-api:Invoke", Resource: "*" }] } } }
  Open: { Type: AWS::ApiGateway::Method, Properties: { RestApiId: !Ref Api, ResourceId: !GetAtt Api.RootResourceId, HttpMethod: POST, AuthorizationType: NONE, Integration: { Type: MOCK } } }
  Signed: { Type: AWS::ApiGateway::Method, Properties: { RestApiId: !Ref Api, ResourceId: !GetAtt Api.RootResourceId, HttpMethod: GET, AuthorizationType: AWS_IAM, MethodResponses: [{ StatusCode: "200" }], Integration: { Type: MOCK, RequestTemplates: { application/json: '{"statusCode": 200}' }, IntegrationResponses: [{ StatusCode: "200" }] } } }
  Deployment: { Type: AWS::ApiGateway::Deployment, DependsOn: [Open, Signed], Properties: { RestApiId: !Ref Api } }
  Stage: { Type: AWS::ApiGateway::Stage, Properties: { RestApiId: !Ref Api, DeploymentId: !Ref Deployment, StageName: prod } }
  Images: { Type: AWS::ECR::Repository, Properties: { RepositoryName: !Sub "${Prefix}/images", RepositoryPolicyText: { Version: "2012-10-17", Statement: [{ Effect: Allow, Principal: "*", Action: "ecr:*" }] } } }
  Secret: { Type: AWS::SSM::Parameter, Properties: { Type: String, Name: !Sub "/${Prefix}/db-password", Value: hush } }
  Acl: { Type: AWS::EC2::NetworkAcl, Properties: { VpcId: !Ref Vpc } }
""" % (TRUST % ("{ Service: lambda.amazonaws.com }", ""))

# Promises that must be broken, with what was found.
CAUGHT = {
    "StrangersKey is used only by those whom its policy lets": "account 999999999999",
    "ServiceKey is used only by those whom its policy lets": "logs.us-east-1.amazonaws.com for any account",
    "GrantsKey is used only by those whom its policy lets": "DryRunOperationException",
    "StrangersRole is assumed only by those whom it trusts": "account 999999999999",
    "TokensRole is assumed only by those whom it trusts": "anybody of accounts.google.com",
    "PassRole has no rights of an administrator": "iam:PassRole",
    "LogsRole has no rights of an administrator": "logs:*",
    "NotRole has no rights of an administrator": "sts:AssumeRole",
    "Admin has no rights of an administrator": "and",
    "Admins has no rights of an administrator": "and",
    "Admin has no key that lasts": "AdminKey",
    "Account lets no outsider in": "let in",
    "Halves is not open to the world": "open to the world",
    "Fn is run, read and changed by no outsider": "apigateway.amazonaws.com for any account",
    "OpenFn is run, read and changed by no outsider": "NONE",
    "Open asks who is calling": "NONE",
    "Signed asks who is calling": "allowed (200)",  # the API's policy lets everybody in who signs
    "Images lets no outsider in": "allowed (200)",
}
# What the stack does not promise must be said.
SAID = {
    "AccountsRole is assumed only by those whom it trusts": "it trusts the account",
    "Endpoint lets through what its policy says": "it has no policy",
    "Group is sealed with the declared key": "no KmsKeyId",
    "Group keeps events as long as declared": "kept for ever",
    "Plain is of no use without its key": "names no key",
    "Web lets in only what is declared": "tcp 443-443 0.0.0.0/0",
    "Web lets out only what is declared": "all 0.0.0.0/0",
    "Inner lets in only what is declared": "all 10.0.0.0/16",
    "the variables of Fn are sealed with the declared key": "KmsKeyArn names no key",
    "Api answers through its endpoint only": "not PRIVATE",
    "tags of Images stay with their images": "not IMMUTABLE",
    "Images is sealed with the declared key": "names no key",
    "Images scans what is pushed": "not on",
    "Secret is sealed": "by its name it is a secret",
}


def deployed(cloud, name, text):
    path = cloud.data.parent / (name + ".yaml")
    path.write_text(text)
    r = command(cloud, "deploy", name, "--template", str(path), "--regions", EAST, "--parameter", "Prefix=" + name)
    assert r.returncode == 0, r.stdout + r.stderr


@pytest.fixture(scope="module")
def weak(cloud):
    deployed(cloud, "weak", WEAK)
    code, report, err = prove(cloud, "weak", "--regions", EAST)
    assert code == 1 and untried(report) == [], err
    return report


@pytest.mark.parametrize("promise", CAUGHT)
def test_weakness_is_caught(weak, promise):
    found = [p["got"] for p in weak["proofs"] if p["promise"] == promise and p["verdict"] == "broken"]
    assert any(CAUGHT[promise] in f for f in found), found


@pytest.mark.parametrize("promise", SAID)
def test_what_is_not_promised_is_said(weak, promise):
    said = [p["reason"] for p in weak["proofs"] if p["promise"] == promise and p["verdict"] == "skipped"]
    assert any(SAID[promise] in s for s in said), said


def test_nothing_else_is_called_broken(weak):
    tls = {"Account takes no plain HTTP", "Plain takes no plain HTTP"}
    versions = {b + " keeps what is overwritten or deleted" for b in ("Account", "Plain")}
    beyond = {r + " has no rights of an administrator" for r in ("NotRole",)}
    assert broken(weak) <= set(CAUGHT) | tls | versions | beyond


def test_the_table_says_what_to_do(cloud, weak):
    r = command(cloud, "prove", "weak", "--regions", EAST)
    assert r.returncode == 1 and "waive it with the reason in the resource's Metadata" in r.stdout
    assert "us-east-1: Acl (AWS::EC2::NetworkAcl)" in r.stdout and "\033[" not in r.stdout


def test_what_is_not_looked_at_is_named(weak):
    assert weak["notLookedAt"] == [{"region": EAST, "resource": "Acl", "type": "AWS::EC2::NetworkAcl"}]


def test_the_reviewed_template_decides(cloud, weak):
    """What was deployed is weaker than what was reviewed: proved is the latter, and that the former is the same."""
    reviewed = WEAK.replace("Group: { Type: AWS::Logs::LogGroup, Properties: { ", "Group: { Type: AWS::Logs::LogGroup, Properties: { RetentionInDays: 30, ") \
        .replace("  Acl:", "  Gone: { Type: AWS::SSM::Parameter, Properties: { Type: String, Value: x } }\n  NotAcl:").replace("AWS::EC2::NetworkAcl", "AWS::EC2::InternetGateway") \
        .replace("Properties: { VpcId: !Ref Vpc } }\n", "}\n")
    path = cloud.data.parent / "reviewed.yaml"
    path.write_text(reviewed)
    code, report, err = prove(cloud, "weak", "--regions", EAST, "--declared", "--template", str(path))
    found = {p["promise"]: p["got"] for p in report["proofs"] if p["verdict"] == "broken" and p["family"] == "template"}
    assert code == 1 and found == {
        "Group is what was asked for": "other: RetentionInDays", "Gone is what was asked for": "it was not deployed",
        "NotAcl is what was asked for": "it was not deployed", "Acl is what was asked for": "AWS::EC2::NetworkAcl"}, (found, err)
    assert "Group keeps events as long as declared" in broken(report)
    r = command(cloud, "prove", "weak", "--template", str(path) + ".no")
    assert r.returncode == 2 and "cannot be read" in r.stderr
    r = command(cloud, "prove", "--terraform", "-", "--template", str(path))
    assert r.returncode == 2 and "not both" in r.stderr


def test_declared_only_asks_for_none_of_it(cloud, weak):
    """Without the baseline these documents hold: they say what they say."""
    code, report, err = prove(cloud, "weak", "--regions", EAST, "--declared")
    assert (code, broken(report)) == (0, set()), err


# --- right, and written in other ways ---

RIGHT = HEAD + """
  Key: # one statement instead of a list, lists of one, and lent to all log groups of the account
    Type: AWS::KMS::Key
    Properties:
      EnableKeyRotation: "true"
      KeyPolicy:
        Version: 2012-10-17
        Statement:
          - { Effect: Allow, Principal: { AWS: [!Ref AWS::AccountId] }, Action: ["kms:*"], Resource: ["*"] }
          - Effect: Allow
            Principal: { Service: [!Join [".", [logs, !Ref AWS::Region, amazonaws.com]]] }
            Action: ["kms:Encrypt*", "kms:Decrypt*", "kms:ReEncrypt*", "kms:GenerateDataKey*", "kms:Describe*"]
            Resource: "*"
            Condition: { ArnLike: { "kms:EncryptionContext:aws:logs:arn": !Sub "arn:aws:logs:${AWS::Region}:${AWS::AccountId}:*" } }
  Group: { Type: AWS::Logs::LogGroup, Properties: { KmsKeyId: !GetAtt Key.Arn, RetentionInDays: "30" } }
  Alias: { Type: AWS::KMS::Alias, Properties: { AliasName: !Sub "alias/${Prefix}", TargetKeyId: !Ref Key } }
  Bucket:
    Type: AWS::S3::Bucket
    Properties:
      BucketName: !Sub "${Prefix}-bucket"
      BucketEncryption: { ServerSideEncryptionConfiguration: [{ ServerSideEncryptionByDefault: { SSEAlgorithm: "aws:kms", KMSMasterKeyID: !Ref Alias } }] }
      VersioningConfiguration: { Status: Enabled }
  BucketPolicy: # what CDK writes for enforceSSL and minimumTLSVersion, and one Deny by NotAction
    Type: AWS::S3::BucketPolicy
    Properties:
      Bucket: !Ref Bucket
      PolicyDocument:
        Version: "2012-10-17"
        Statement:
          - { Action: "s3:*", Condition: { Bool: { "aws:SecureTransport": false } }, Effect: Deny, Principal: { AWS: "*" }, Resource: [!GetAtt Bucket.Arn, !Join ["", [!GetAtt Bucket.Arn, "/*"]]] }
          - { Action: "s3:*", Condition: { NumericLessThan: { "s3:TlsVersion": 1.2 } }, Effect: Deny, Principal: { AWS: "*" }, Resource: [!GetAtt Bucket.Arn, !Join ["", [!GetAtt Bucket.Arn, "/*"]]] }
          - { NotAction: ["s3:*"], Effect: Deny, Principal: "*", Resource: !Sub "${Bucket.Arn}/*" }
  Mine: # only one role of the account gets at it, whatever else the account allows
    Type: AWS::S3::Bucket
    Properties: { BucketName: !Sub "${Prefix}-mine", VersioningConfiguration: { Status: Enabled } }
  MinePolicy:
    Type: AWS::S3::BucketPolicy
    Properties:
      Bucket: !Ref Mine
      PolicyDocument:
        Version: "2012-10-17"
        Statement:
          Effect: Deny
          Principal: "*"
          Action: ["s3:GetObject*", "s3:PutObject*"]
          Resource: !Sub "${Mine.Arn}/*"
          Condition: { ArnNotEquals: { "aws:PrincipalArn": !GetAtt Worker.Arn } }
  Worker:
    Type: AWS::IAM::Role
    Properties:
      AssumeRolePolicyDocument:
        Version: "2012-10-17"
        Statement:
          - { Effect: Allow, Principal: { Service: [lambda.amazonaws.com, ec2.amazonaws.com] }, Action: ["sts:AssumeRole"] }
          - { Effect: Allow, Principal: { AWS: "arn:aws:iam::999999999999:root" }, Action: "sts:AssumeRole", Condition: { Bool: { "aws:MultiFactorAuthPresent": true }, NumericLessThan: { "aws:MultiFactorAuthAge": 3600 } } }
      Policies:
        - PolicyName: own
          PolicyDocument: { Version: 2012-10-17, Statement: { Effect: Allow, Action: "kms:De*", Resource: !GetAtt Key.Arn, Condition: { Bool: { "aws:SecureTransport": true } } } }
  Vpc: { Type: AWS::EC2::VPC, Properties: { CidrBlock: 10.0.0.0/16 } }
  Sg:
    Type: AWS::EC2::SecurityGroup
    Properties:
      GroupDescription: g
      VpcId: !Ref Vpc
      SecurityGroupIngress:
        - { IpProtocol: 6, FromPort: "443", ToPort: "443", CidrIp: 10.1.2.3/16 }
        - { IpProtocol: TCP, FromPort: 22, ToPort: 22, CidrIpv6: "2001:DB8:0::/32" }
        - { IpProtocol: icmp, FromPort: -1, ToPort: -1, CidrIp: 10.0.0.0/8 }
      SecurityGroupEgress: [{ IpProtocol: -1, FromPort: 0, ToPort: 0, CidrIp: 10.0.0.0/16 }]
  Self: { Type: AWS::EC2::SecurityGroupIngress, Properties: { GroupId: !GetAtt Sg.GroupId, IpProtocol: "-1", SourceSecurityGroupId: !Ref Sg } }
  Endpoint:
    Type: AWS::EC2::VPCEndpoint
    Properties: { VpcId: !Ref Vpc, VpcEndpointType: Interface, ServiceName: !Sub "com.amazonaws.${AWS::Region}.execute-api", PolicyDocument: { Version: "2012-10-17", Statement: { Effect: Allow, Principal: "*", Action: "execute-api:Invoke", Resource: "*" } } }
  Api: # a resource without its ARN, and Deny with StringNotEquals
    Type: AWS::ApiGateway::RestApi
    Properties:
      Name: !Sub "${Prefix}-api"
      EndpointConfiguration: { Types: [PRIVATE] }
      Policy:
        Version: "2012-10-17"
        Statement:
          - { Effect: Allow, Principal: "*", Action: "execute-api:Invoke", Resource: "execute-api:/*" }
          - { Effect: Deny, Principal: "*", Action: "execute-api:Invoke", Resource: "execute-api:/*", Condition: { StringNotEquals: { "aws:SourceVpce": !Ref Endpoint } } }
"""


def test_nothing_right_is_called_broken(cloud):
    deployed(cloud, "right", RIGHT)
    code, report, err = prove(cloud, "right", "--regions", EAST)
    wrong = [(p["promise"], p["attempt"], p["expected"], p["got"]) for p in report["proofs"] if p["verdict"] == "broken"]
    assert (code, wrong) == (2, []), err
    assert [(m, got) for m, _, got in untried(report)] == [("Mine works for those who may use it", "its policy denies the proof's users: statement 1")]
    outsiders = [p["verdict"] for p in report["proofs"] if p["promise"] == "Mine lets no outsider in"]
    assert len(outsiders) > 10 and set(outsiders) == {"held"}  # tried all the same
    tls = [p for p in report["proofs"] if p["promise"] == "Bucket takes no plain HTTP"]
    assert len(tls) > 6 and all(p["verdict"] == "held" for p in tls)


# --- whatever happens ---

def test_a_cloud_that_goes_away_breaks_no_promise(own_cloud):
    """What has no answer is not tried; and what could not be removed is said, and removed by a later run."""
    deploy(own_cloud, "base", TEMPLATE.read_text())
    said = own_cloud.data.parent / "out", own_cloud.data.parent / "err"
    with open(said[0], "w") as o, open(said[1], "w") as e:
        p = under_way(own_cloud, stdout=o, stderr=e)
        own_cloud.kill()
        p.wait(60)
    out, err = (f.read_text() for f in said)
    report = json.loads(out)
    assert p.returncode == 2 and broken(report) == set() and untried(report) and report["leftBehind"] > 0, out + err
    assert "once it is an hour old" in err
    own_cloud.start()
    assert command(own_cloud, "clock", "+2h").returncode == 0
    assert prove(own_cloud, "base")[0] == 0 and left_behind(own_cloud) == []
