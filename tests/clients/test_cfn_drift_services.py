# SPDX-License-Identifier: Apache-2.0
"""Drift of networks, functions, log groups, repositories and APIs: in sync when made, told exactly when changed, gone when deleted."""
import json

import test_apigateway_stack
from test_cfn_drift import IAM, allow, detect, drifted, in_sync, policy, resource, told, trust
from stack_lib import create, delete, physical, template

CODE = "exports.handler = async () => 1"


def ref(name):
    return {"Ref": name}


def att(name, attribute):
    return {"Fn::GetAtt": [name, attribute]}


def tags(**kw):
    return [{"Key": k, "Value": v} for k, v in kw.items()]


def gone(found):
    return {n for n, x in found.items() if x["StackResourceDriftStatus"] == "DELETED"}


def test_network(cloud, cf):  # noqa: F811
    ec2 = cloud.client("ec2")
    create(cf, "net", template({
        "V": resource("EC2::VPC", CidrBlock="10.9.0.0/16", EnableDnsSupport=True, EnableDnsHostnames="true", InstanceTenancy="default", Tags=tags(a="1")),
        "S": resource("EC2::Subnet", VpcId=ref("V"), CidrBlock="10.9.1.0/24", AvailabilityZone={"Fn::Select": [0, {"Fn::GetAZs": ""}]}, MapPublicIpOnLaunch=False, Tags=tags(a="1"),
                      PrivateDnsNameOptionsOnLaunch={"HostnameType": "ip-name", "EnableResourceNameDnsARecord": True}),
        "T": resource("EC2::RouteTable", VpcId=ref("V"), Tags=tags(a="1")), "A": resource("EC2::SubnetRouteTableAssociation", SubnetId=ref("S"), RouteTableId=ref("T")),
        "I": resource("EC2::InternetGateway"), "J": resource("EC2::VPCGatewayAttachment", VpcId=ref("V"), InternetGatewayId=ref("I")),
        "R": dict(resource("EC2::Route", RouteTableId=ref("T"), DestinationCidrBlock="0.0.0.0/0", GatewayId=ref("I")), DependsOn="J"),
        "G": resource("EC2::SecurityGroup", GroupDescription="d", GroupName="drift-group", VpcId=ref("V"), Tags=tags(a="1"), SecurityGroupEgress=[{"IpProtocol": "-1", "CidrIp": "10.0.0.0/8"}],
                      SecurityGroupIngress=[{"IpProtocol": 6, "FromPort": "443", "ToPort": 443, "CidrIp": "10.9.0.0/16", "Description": "in"}, {"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "CidrIpv6": "::/0"}]),
        "H": resource("EC2::SecurityGroup", GroupDescription="other", VpcId=ref("V")),
        "In": resource("EC2::SecurityGroupIngress", GroupId=ref("G"), IpProtocol="tcp", FromPort=80, ToPort=80, SourceSecurityGroupId=ref("H"), Description="from the other"),
        "Out": resource("EC2::SecurityGroupEgress", GroupId=ref("G"), IpProtocol="udp", FromPort=53, ToPort=53, DestinationSecurityGroupId=ref("H")),
        "E": resource("EC2::VPCEndpoint", VpcId=ref("V"), ServiceName="com.amazonaws.us-east-1.s3", VpcEndpointType="Gateway", RouteTableIds=[ref("T")],
                      PolicyDocument=policy(allow(["s3:GetObject", "s3:ListBucket"], Principal="*"))),
        "N": resource("EC2::NetworkAcl", VpcId=ref("V"), Tags=tags(a="1")),
        "F": resource("EC2::VPCEndpoint", VpcId=ref("V"), ServiceName="com.amazonaws.us-east-1.kms", VpcEndpointType="Interface", SubnetIds=[ref("S")], SecurityGroupIds=[ref("H"), ref("G")],
                      PrivateDnsEnabled=True)}))
    in_sync(cf, "net", *"VSTAIJRGHEFN", "In", "Out")
    n = {x["LogicalResourceId"]: x["PhysicalResourceId"] for x in cf.list_stack_resources(StackName="net")["StackResourceSummaries"]}
    ec2.modify_vpc_attribute(VpcId=n["V"], EnableDnsHostnames={"Value": False})
    ec2.create_tags(Resources=[n["V"], n["T"]], Tags=tags(a="2", b="3"))
    ec2.modify_subnet_attribute(SubnetId=n["S"], MapPublicIpOnLaunch={"Value": True})
    ec2.authorize_security_group_ingress(GroupId=n["G"], IpPermissions=[{"IpProtocol": "tcp", "FromPort": 3389, "ToPort": 3389, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}])
    ec2.revoke_security_group_egress(GroupId=n["G"], IpPermissions=[{"IpProtocol": "-1", "IpRanges": [{"CidrIp": "10.0.0.0/8"}]}])
    ec2.modify_vpc_endpoint(VpcEndpointId=n["E"], RemoveRouteTableIds=[n["T"]], PolicyDocument=json.dumps(policy(allow(["s3:ListBucket", "s3:*"], Principal="*"))))
    ec2.modify_vpc_endpoint(VpcEndpointId=n["F"], RemoveSecurityGroupIds=[n["H"]])
    found = detect(cf, "net")[1]
    assert {k for k, x in found.items() if x["StackResourceDriftStatus"] != "IN_SYNC"} == set("VTSGEF"), found
    added = ("/Tags/1", "null", '{"Key":"b","Value":"3"}')
    assert [x for x in told(found["V"]) if x[0] != "/Tags/1"] == [("/EnableDnsHostnames", "true", "false"), ("/Tags/0/Value", "1", "2")] and added in told(found["V"])
    assert told(found["T"]) == [("/Tags/0/Value", "1", "2"), added] and told(found["S"]) == [("/MapPublicIpOnLaunch", "false", "true")]
    (out, into) = told(found["G"])
    assert out == ("/SecurityGroupEgress/0", '{"IpProtocol":"-1","CidrIp":"10.0.0.0/8"}', "null") and into[1] == "null" and json.loads(into[2])["CidrIp"] == "0.0.0.0/0"
    assert told(found["E"]) == [("/PolicyDocument/Statement/0/Action/0", "s3:GetObject", "null"), (told(found["E"])[1][0], "null", "s3:*"), ("/RouteTableIds/0", n["T"], "null")]
    assert told(found["F"]) == [("/SecurityGroupIds/0", n["H"], "null")]
    ec2.delete_route(RouteTableId=n["T"], DestinationCidrBlock="0.0.0.0/0")
    ec2.disassociate_route_table(AssociationId=n["A"])
    ec2.revoke_security_group_ingress(GroupId=n["G"], SecurityGroupRuleIds=[n["In"]])
    ec2.delete_vpc_endpoints(VpcEndpointIds=[n["E"], n["F"]])
    ec2.delete_network_acl(NetworkAclId=n["N"])
    ec2.detach_internet_gateway(InternetGatewayId=n["I"], VpcId=n["V"])
    ec2.delete_internet_gateway(InternetGatewayId=n["I"])
    assert gone(detect(cf, "net")[1]) == {"A", "E", "F", "I", "In", "J", "N", "R"}
    delete(cf, "net")


def test_functions(cloud, cf):  # noqa: F811
    fn, logs = cloud.client("lambda"), cloud.client("logs")
    create(cf, "fns", template({
        "Role": resource("IAM::Role", AssumeRolePolicyDocument=trust("lambda.amazonaws.com")),
        "L": resource("Logs::LogGroup", LogGroupName="/drift/f", RetentionInDays="30", LogGroupClass="STANDARD", Tags=tags(a="1")),
        "X": resource("Logs::ResourcePolicy", PolicyName="drift-policy", PolicyDocument=json.dumps(policy(allow("logs:PutLogEvents", Principal={"Service": "es.amazonaws.com"})))),
        "Y": dict(resource("Logs::SubscriptionFilter", LogGroupName=ref("L"), FilterName="drift-filter", FilterPattern="ERROR", DestinationArn=att("F", "Arn")), DependsOn="Z"),
        "Z": resource("Lambda::Permission", FunctionName=ref("F"), Action="lambda:InvokeFunction", Principal="logs.amazonaws.com"),
        "F": resource("Lambda::Function", FunctionName="drift-fn", Role=att("Role", "Arn"), Runtime="nodejs20.x", Handler="index.handler", Code={"ZipFile": CODE}, Description="d", MemorySize=256,
                      Timeout="10", Environment={"Variables": {"AA": "1", "BB": "2"}}, EphemeralStorage={"Size": 1024}, TracingConfig={"Mode": "Active"}, Architectures=["x86_64"],
                      LoggingConfig={"LogGroup": ref("L"), "LogFormat": "JSON"}, ReservedConcurrentExecutions=2, Tags=tags(a="1"), RecursiveLoop="Allow", RuntimeManagementConfig={"UpdateRuntimeOn": "FunctionUpdate"}),
        "V": resource("Lambda::Version", FunctionName=ref("F"), Description="v"),
        "W": dict(resource("Lambda::Alias", FunctionName=ref("F"), FunctionVersion="$LATEST", Name="latest"), DependsOn="V"),
        "A": resource("Lambda::Alias", FunctionName=ref("F"), FunctionVersion=att("V", "Version"), Name="live", Description="a"),
        "P": resource("Lambda::Permission", FunctionName=att("F", "Arn"), Action="lambda:InvokeFunction", Principal="s3.amazonaws.com", SourceAccount=ref("AWS::AccountId"), SourceArn="arn:aws:s3:::drift"),
        "Q": resource("Lambda::Permission", FunctionName=ref("A"), Action="lambda:InvokeFunction", Principal=ref("AWS::AccountId")),
        "U": resource("Lambda::Url", TargetFunctionArn=att("F", "Arn"), AuthType="AWS_IAM", Cors={"AllowOrigins": ["https://a.test"], "MaxAge": 60})}), **IAM)
    in_sync(cf, "fns", "Role", *"LFVWAPQUXYZ")
    fn.update_function_configuration(FunctionName="drift-fn", Description="e", Environment={"Variables": {"AA": "1", "BB": "3", "CC": "4"}}, MemorySize=512)
    fn.delete_function_concurrency(FunctionName="drift-fn")
    fn.put_function_recursion_config(FunctionName="drift-fn", RecursiveLoop="Terminate")
    fn.tag_resource(Resource=fn.get_function(FunctionName="drift-fn")["Configuration"]["FunctionArn"], Tags={"a": "2"})
    fn.update_alias(FunctionName="drift-fn", Name="live", Description="b")
    fn.update_function_url_config(FunctionName="drift-fn", AuthType="NONE", Cors={"AllowOrigins": ["*"], "MaxAge": 60})
    fn.remove_permission(FunctionName="drift-fn", StatementId=physical(cf, "fns", "P"))
    logs.put_retention_policy(logGroupName="/drift/f", retentionInDays=7)
    arn = fn.get_function(FunctionName="drift-fn")["Configuration"]["FunctionArn"]
    logs.put_subscription_filter(logGroupName="/drift/f", filterName="drift-filter", filterPattern="WARN", destinationArn=arn)
    logs.delete_resource_policy(policyName="drift-policy")
    drifted(cf, "fns", {
        "X": "DELETED", "Y": [("/FilterPattern", "ERROR", "WARN")],
        "F": [("/Description", "d", "e"), ("/Environment/Variables/BB", "2", "3"), ("/Environment/Variables/CC", "null", "4"), ("/MemorySize", "256", "512"),
              ("/ReservedConcurrentExecutions", "2", "null"), ("/RecursiveLoop", "Allow", "Terminate"), ("/Tags/0/Value", "1", "2")],
        "A": [("/Description", "a", "b")], "U": [("/AuthType", "AWS_IAM", "NONE"), ("/Cors/AllowOrigins/0", "https://a.test", "*")], "L": [("/RetentionInDays", "30", "7")], "P": "DELETED"})
    fn.delete_function(FunctionName="drift-fn")
    logs.delete_log_group(logGroupName="/drift/f")
    assert gone(detect(cf, "fns")[1]) == set("LFVWAPQUXYZ")
    delete(cf, "fns")


def test_repositories(cloud, cf):  # noqa: F811
    ecr = cloud.client("ecr")
    rules = {"rules": [{"rulePriority": 1, "selection": {"tagStatus": "untagged", "countType": "imageCountMoreThan", "countNumber": 5}, "action": {"type": "expire"}}]}
    pull = {"Version": "2012-10-17", "Statement": [{"Sid": "pull", "Effect": "Allow", "Principal": {"AWS": {"Fn::Sub": "arn:aws:iam::${AWS::AccountId}:root"}}, "Action": ["ecr:BatchGetImage"]}]}
    create(cf, "repo", template({"R": resource("ECR::Repository", RepositoryName="drift/repo", ImageTagMutability="IMMUTABLE", ImageScanningConfiguration={"ScanOnPush": True}, EmptyOnDelete=True,
                                               EncryptionConfiguration={"EncryptionType": "AES256"}, LifecyclePolicy={"LifecyclePolicyText": json.dumps(rules, indent=1)}, RepositoryPolicyText=pull,
                                               Tags=tags(b="2", a="1"))}))
    in_sync(cf, "repo", "R")
    rules["rules"][0]["selection"]["countNumber"] = 6
    ecr.put_lifecycle_policy(repositoryName="drift/repo", lifecyclePolicyText=json.dumps(rules))
    ecr.put_image_tag_mutability(repositoryName="drift/repo", imageTagMutability="MUTABLE")
    ecr.delete_repository_policy(repositoryName="drift/repo")
    found = detect(cf, "repo")[1]["R"]
    assert [x if x[0] != "/RepositoryPolicyText" else x[::2] for x in told(found)] == [
        ("/ImageTagMutability", "IMMUTABLE", "MUTABLE"), ("/LifecyclePolicy/LifecyclePolicyText/rules/0/selection/countNumber", "5", "6"), ("/RepositoryPolicyText", "null")]
    ecr.delete_repository(repositoryName="drift/repo", force=True)
    assert gone(detect(cf, "repo")[1]) == {"R"}
    delete(cf, "repo")


def test_apis(cloud, cf):  # noqa: F811
    gw, body = cloud.client("apigateway"), test_apigateway_stack.template(cloud)
    body = json.loads(body) if isinstance(body, str) else body
    body["Resources"]["Api"]["Properties"]["Policy"] = policy(allow("execute-api:Invoke", "execute-api:/*", Principal="*"))
    create(cf, "apis", json.dumps(body), **IAM)
    found = in_sync(cf, "apis")
    checked = {"Role", "Account", "Api", "Pets", "Auth", "Model", "Validator", "Get", "Denied", "Deployment", "Stage"}
    assert checked <= set(found) and not {"Key", "Plan", "PlanKey"} & set(found)
    api, pets = physical(cf, "apis", "Api"), physical(cf, "apis", "Pets")

    def op(path, value=None, kind="replace"):
        return {"op": kind, "path": path, **({} if value is None else {"value": value})}

    gw.update_rest_api(restApiId=api, patchOperations=[op("/description", "two"), op("/policy", json.dumps(policy(allow("execute-api:Invoke", "execute-api:/prod/*", Principal="*"))))])
    gw.update_method(restApiId=api, resourceId=pets, httpMethod="GET", patchOperations=[op("/apiKeyRequired", "false"), op("/requestParameters/method.request.querystring.R", "true", "add")])
    gw.update_integration_response(restApiId=api, resourceId=pets, httpMethod="GET", statusCode="200", patchOperations=[op("/responseTemplates/application~1json", "[]")])
    gw.update_stage(restApiId=api, stageName="prod", patchOperations=[op("/variables/a", "9"), op("/variables/c", "3"), op("/*/*/throttling/burstLimit", "6"), op("/tracingEnabled", "false")])
    gw.delete_gateway_response(restApiId=api, responseType="ACCESS_DENIED")
    found = detect(cf, "apis")[1]
    assert told(found["Api"]) == [("/Description", "one", "two"), ("/Policy/Statement/0/Resource", told(found["Api"])[1][1], told(found["Api"])[1][2])]
    assert told(found["Get"]) == [("/ApiKeyRequired", "true", "false"), ("/Integration/IntegrationResponses/0/ResponseTemplates/application~1json", "{}", "[]"),
                                  ("/RequestParameters/method.request.querystring.R", "null", "true")]
    assert told(found["Stage"]) == [("/MethodSettings/0/ThrottlingBurstLimit", "5", "6"), ("/TracingEnabled", "true", "false"), ("/Variables/a", "1", "9"), ("/Variables/c", "null", "3")]
    assert gone(found) <= {"Denied"}
    gw.delete_stage(restApiId=api, stageName="prod")
    gw.delete_method(restApiId=api, resourceId=pets, httpMethod="GET")
    assert {"Stage", "Get"} <= gone(detect(cf, "apis")[1])
    gw.delete_rest_api(restApiId=api)
    assert {"Api", "Pets", "Auth", "Model", "Validator", "Deployment", "Stage", "Get"} <= gone(detect(cf, "apis")[1])
    cf.delete_stack(StackName="apis")
