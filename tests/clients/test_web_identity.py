# SPDX-License-Identifier: Apache-2.0
"""OpenID Connect providers, and roles for whom they vouch: sts:AssumeRoleWithWebIdentity without any key of ours."""
import json
import sys
import time

import pytest
from botocore.exceptions import ClientError
from cryptography.hazmat.primitives.asymmetric import ec

from issuer import Issuer, Key, thumbprint

from refusals import refused


@pytest.fixture(scope="module")
def issuer():
    with Issuer() as i:
        yield i


@pytest.fixture(scope="module")
def provider(iam, issuer):
    return issuer.provider(iam)


@pytest.fixture(scope="module")
def sts(cloud):
    return cloud.client("sts", anonymous=True)


def assume(sts, arn, token, session="ci", **kw):
    return sts.assume_role_with_web_identity(RoleArn=arn, RoleSessionName=session, WebIdentityToken=token, **kw)


def test_provider_life(cloud, iam):
    url = "https://login.example.test/realms/one"
    r = iam.create_open_id_connect_provider(Url=url, ClientIDList=["a"], ThumbprintList=["a" * 40], Tags=[{"Key": "team", "Value": "x"}])
    arn = r["OpenIDConnectProviderArn"]
    assert arn == "arn:aws:iam::%s:oidc-provider/login.example.test/realms/one" % cloud.account
    assert r["Tags"] == [{"Key": "team", "Value": "x"}]
    assert refused("EntityAlreadyExists", iam.create_open_id_connect_provider, Url=url) == "Provider with url %s already exists." % url
    iam.add_client_id_to_open_id_connect_provider(OpenIDConnectProviderArn=arn, ClientID="b")
    iam.add_client_id_to_open_id_connect_provider(OpenIDConnectProviderArn=arn, ClientID="b")
    iam.remove_client_id_from_open_id_connect_provider(OpenIDConnectProviderArn=arn, ClientID="a")
    iam.remove_client_id_from_open_id_connect_provider(OpenIDConnectProviderArn=arn, ClientID="never")
    iam.update_open_id_connect_provider_thumbprint(OpenIDConnectProviderArn=arn, ThumbprintList=["b" * 40, "C" * 40])
    iam.tag_open_id_connect_provider(OpenIDConnectProviderArn=arn, Tags=[{"Key": "stage", "Value": "y"}])
    iam.untag_open_id_connect_provider(OpenIDConnectProviderArn=arn, TagKeys=["team"])
    assert iam.list_open_id_connect_provider_tags(OpenIDConnectProviderArn=arn)["Tags"] == [{"Key": "stage", "Value": "y"}]
    g = iam.get_open_id_connect_provider(OpenIDConnectProviderArn=arn)
    assert (g["Url"], g["ClientIDList"], g["ThumbprintList"], g["Tags"]) == (url[8:], ["b"], ["b" * 40, "C" * 40], [{"Key": "stage", "Value": "y"}])
    assert {"Arn": arn} in iam.list_open_id_connect_providers()["OpenIDConnectProviderList"]
    assert iam.get_account_summary()["SummaryMap"]["Providers"] >= 1
    iam.delete_open_id_connect_provider(OpenIDConnectProviderArn=arn)
    refused("NoSuchEntity", iam.get_open_id_connect_provider, OpenIDConnectProviderArn=arn)
    assert {"Arn": arn} not in iam.list_open_id_connect_providers()["OpenIDConnectProviderList"]


@pytest.mark.parametrize("url", ["http://a.example.test", "https://", "https://a.example.test?x=1", "https://a.example.test#x", "https://u@a.example.test", "a.example.test"])
def test_provider_urls(iam, url):
    refused("ValidationError", iam.create_open_id_connect_provider, Url=url)


def test_provider_limits(iam):
    refused("InvalidInput", iam.create_open_id_connect_provider, Url="https://l.example.test", ThumbprintList=["a" * 40] * 6)
    refused("ValidationError", iam.create_open_id_connect_provider, Url="https://l.example.test", ThumbprintList=["x" * 40])
    refused("LimitExceeded", iam.create_open_id_connect_provider, Url="https://l.example.test", ClientIDList=[str(i) for i in range(101)])


def test_provider_rights(cloud, iam):
    mine = iam.create_open_id_connect_provider(Url="https://mine.example.test", Tags=[{"Key": "team", "Value": "me"}])["OpenIDConnectProviderArn"]
    other = iam.create_open_id_connect_provider(Url="https://other.example.test")["OpenIDConnectProviderArn"]
    u = cloud.user("idp", {"Effect": "Allow", "Action": "iam:*", "Resource": mine},
                   {"Effect": "Allow", "Action": "iam:GetOpenIDConnectProvider", "Resource": "*", "Condition": {"StringEquals": {"aws:ResourceTag/team": "me"}}})
    his = cloud.client("iam", key=u)
    his.get_open_id_connect_provider(OpenIDConnectProviderArn=mine)
    his.add_client_id_to_open_id_connect_provider(OpenIDConnectProviderArn=mine, ClientID="x")
    for op in (his.get_open_id_connect_provider, his.delete_open_id_connect_provider):
        refused("AccessDenied", op, OpenIDConnectProviderArn=other)
    refused("AccessDenied", his.create_open_id_connect_provider, Url="https://third.example.test")
    refused("AccessDenied", his.list_open_id_connect_providers)


def test_a_token_is_enough(cloud, iam, sts, issuer, provider):
    arn = issuer.role(iam, "ci", provider, statements=[{"Effect": "Allow", "Action": "iam:ListUsers", "Resource": "*"}],
                      StringEquals={"aud": "sts.amazonaws.com"}, StringLike={"sub": "repo:octo/app:*"})
    r = assume(sts, arn, issuer.token(), "build-7")
    assert r["SubjectFromWebIdentityToken"] == "repo:octo/app:ref:refs/heads/main"
    assert (r["Audience"], r["Provider"]) == ("sts.amazonaws.com", provider)
    assert r["AssumedRoleUser"]["Arn"] == "arn:aws:sts::%s:assumed-role/ci/build-7" % cloud.account
    assert 3500 < r["Credentials"]["Expiration"].timestamp() - time.time() < 3610
    c = r["Credentials"]
    assert cloud.client("sts", key=c).get_caller_identity()["Arn"] == r["AssumedRoleUser"]["Arn"]
    cloud.client("iam", key=c).list_users()
    refused("AccessDenied", cloud.client("iam", key=c).list_roles)
    e = next(json.loads(e["CloudTrailEvent"]) for e in cloud.client("cloudtrail").lookup_events(
        LookupAttributes=[{"AttributeKey": "EventName", "AttributeValue": "AssumeRoleWithWebIdentity"}])["Events"])
    assert e["userIdentity"] == {"type": "WebIdentityUser", "principalId": provider + ":sts.amazonaws.com:repo:octo/app:ref:refs/heads/main",
                                 "userName": "repo:octo/app:ref:refs/heads/main", "identityProvider": provider}
    assert arn in e["requestParameters"].values() and "eyJ" not in json.dumps(e)


def test_through_a_token_file(cloud, iam, issuer, provider, tmp_path):
    """As pods and build jobs do it: the SDK finds the file and the role in its configuration."""
    arn = issuer.role(iam, "pod", provider, StringEquals={"sub": "system:serviceaccount:default:app"})
    (tmp_path / "token").write_text(issuer.token(sub="system:serviceaccount:default:app"))
    (tmp_path / "config").write_text("[profile pod]\nrole_arn = %s\nweb_identity_token_file = %s\nrole_session_name = p1\n"
                                     "sts_regional_endpoints = regional\nregion = us-east-1\nservices = here\n[services here]\nsts =\n  endpoint_url = %s\n"
                                     % (arn, tmp_path / "token", cloud.https))
    import subprocess
    env = {k: v for k, v in cloud.env().items() if k not in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_ENDPOINT_URL")}
    env.update(AWS_CONFIG_FILE=str(tmp_path / "config"), AWS_PROFILE="pod", AWS_CA_BUNDLE=cloud.ca)
    out = subprocess.run([sys.executable, "-c", "import boto3;print(boto3.client('sts').get_caller_identity()['Arn'])"], env=env, capture_output=True, text=True)
    assert out.stdout.strip().endswith("assumed-role/pod/p1"), out.stderr


@pytest.mark.parametrize("alg", ["RS384", "RS512", "ES256", "ES384", "ES512"])
def test_algorithms(iam, sts, issuer, alg):
    key = issuer.keys[0] if alg[0] == "R" else Key(alg, {"ES256": ec.SECP256R1(), "ES384": ec.SECP384R1(), "ES512": ec.SECP521R1()}[alg])
    with Issuer() as i:
        i.keys = [Key("unused"), key]
        arn = i.role(iam, "alg" + alg, i.provider(iam))
        assert assume(sts, arn, i.token(key, alg))["Credentials"]["AccessKeyId"].startswith("ASIA")


def test_conditions_decide(iam, sts, issuer, provider):
    arn = issuer.role(iam, "cond", provider, **{"StringEquals": {"sub": "a", "sts:RoleSessionName": "s1"}, "ForAnyValue:StringEquals": {"amr": ["mfa"]}})
    assume(sts, arn, issuer.token(sub="a", amr=["pwd", "mfa"]), "s1")
    for claims, session in (({"sub": "b", "amr": ["mfa"]}, "s1"), ({"sub": "a", "amr": ["pwd"]}, "s1"), ({"sub": "a"}, "s1"), ({"sub": "a", "amr": ["mfa"]}, "s2")):
        assert refused("AccessDenied", assume, sts=sts, arn=arn, token=issuer.token(**claims), session=session) == \
            "Not authorized to perform sts:AssumeRoleWithWebIdentity"


def test_who_else_is_not_let_in(cloud, iam, sts, issuer, provider):
    everyone = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": "*", "Action": "sts:AssumeRoleWithWebIdentity"}]}
    arn = iam.create_role(RoleName="everyone", AssumeRolePolicyDocument=json.dumps(everyone))["Role"]["Arn"]
    refused("AccessDenied", assume, sts=sts, arn=arn, token=issuer.token())  # "*" are AWS's principals, no provider's word
    arn = issuer.role(iam, "other-action", provider, actions="sts:AssumeRole")
    refused("AccessDenied", assume, sts=sts, arn=arn, token=issuer.token())
    arn = issuer.role(iam, "denied", provider)
    iam.update_assume_role_policy(RoleName="denied", PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Principal": {"Federated": provider}, "Action": "sts:AssumeRoleWithWebIdentity"},
        {"Effect": "Deny", "Principal": "*", "Action": "sts:AssumeRoleWithWebIdentity", "Condition": {"StringEquals": {issuer.name + ":sub": "mallory"}}}]}))
    assume(sts, arn, issuer.token(sub="alice"))
    refused("AccessDenied", assume, sts=sts, arn=arn, token=issuer.token(sub="mallory"))


def test_session_is_bounded(cloud, iam, sts, issuer, provider):
    arn = issuer.role(iam, "bounds", provider, statements=[{"Effect": "Allow", "Action": "*", "Resource": "*"}])
    only = json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "iam:ListUsers", "Resource": "*"}]})
    c = assume(sts, arn, issuer.token(), Policy=only, DurationSeconds=900)["Credentials"]
    assert c["Expiration"].timestamp() - time.time() < 910
    cloud.client("iam", key=c).list_users()
    refused("AccessDenied", cloud.client("iam", key=c).list_roles)
    refused("ValidationError", assume, sts=sts, arn=arn, token=issuer.token(), DurationSeconds=7200)


def test_tags_and_source_identity(cloud, iam, sts, issuer, provider):
    claim = {"https://aws.amazon.com/tags": {"principal_tags": {"team": ["blue"]}, "transitive_tag_keys": ["team"]}}
    all3 = ["sts:AssumeRoleWithWebIdentity", "sts:TagSession", "sts:SetSourceIdentity"]
    may = {"Effect": "Allow", "Action": "iam:ListUsers", "Resource": "*", "Condition": {"StringEquals": {"aws:PrincipalTag/team": "blue", "aws:FederatedProvider": provider}}}
    arn = issuer.role(iam, "tagged", provider, actions=all3, statements=[may])
    r = assume(sts, arn, issuer.token(**claim, **{"https://aws.amazon.com/source_identity": "alice"}))
    assert r["SourceIdentity"] == "alice"
    cloud.client("iam", key=r["Credentials"]).list_users()
    refused("AccessDenied", cloud.client("iam", key=assume(sts, arn, issuer.token())["Credentials"]).list_users)
    plain = issuer.role(iam, "untagged", provider)
    refused("AccessDenied", assume, sts=sts, arn=plain, token=issuer.token(**claim))
    refused("AccessDenied", assume, sts=sts, arn=plain, token=issuer.token(**{"https://aws.amazon.com/source_identity": "alice"}))
    one = issuer.role(iam, "onestatement", provider, actions=all3, StringEquals={"aud": "sts.amazonaws.com", "aws:RequestTag/team": "blue"})
    assume(sts, one, issuer.token(**claim))  # all three actions see all keys of the request
    refused("AccessDenied", assume, sts=sts, arn=one, token=issuer.token())
    only = issuer.role(iam, "onlyred", provider, actions=all3[:2], StringEquals={"aws:RequestTag/team": "red"})
    refused("AccessDenied", assume, sts=sts, arn=only, token=issuer.token(**claim))


def test_keys_are_kept_and_change(iam, sts):
    with Issuer() as i:
        arn = i.role(iam, "rotation", i.provider(iam))
        old = i.token()
        for _ in range(5):
            assume(sts, arn, i.token())
        assert i.asked == ["/.well-known/openid-configuration", "/jwks"]
        i.keys = [Key("k2")]
        assume(sts, arn, old)  # the set that is kept still has its key
        end = time.time() + 20
        while True:  # an unknown key: asked for again, though not at once
            try:
                assume(sts, arn, i.token())
                break
            except ClientError as e:
                assert e.response["Error"]["Code"] == "InvalidIdentityToken" and time.time() < end
                time.sleep(0.2)
        refused("InvalidIdentityToken", assume, sts=sts, arn=arn, token=old)


def test_deleted_provider_vouches_for_nobody(iam, sts, issuer):
    with Issuer() as i:
        p = i.provider(iam)
        arn = i.role(iam, "gone", p)
        assume(sts, arn, i.token())
        iam.remove_client_id_from_open_id_connect_provider(OpenIDConnectProviderArn=p, ClientID="sts.amazonaws.com")
        assert refused("InvalidIdentityToken", assume, sts=sts, arn=arn, token=i.token()) == "Incorrect token audience"
        iam.add_client_id_to_open_id_connect_provider(OpenIDConnectProviderArn=p, ClientID="sts.amazonaws.com")
        assume(sts, arn, i.token())
        iam.update_open_id_connect_provider_thumbprint(OpenIDConnectProviderArn=p, ThumbprintList=["0" * 40])
        assert "thumbprint" in refused("InvalidIdentityToken", assume, sts=sts, arn=arn, token=i.token())
        iam.delete_open_id_connect_provider(OpenIDConnectProviderArn=p)
        assert refused("InvalidIdentityToken", assume, sts=sts, arn=arn, token=i.token()) == "No OpenIDConnect provider found in your account for " + i.url


def test_the_leafs_own_thumbprint_will_do(iam, sts):
    with Issuer() as i:
        arn = i.role(iam, "leaf", i.provider(iam, ThumbprintList=["f" * 40, thumbprint(i.certificate).upper()]))
        assume(sts, arn, i.token())


def test_an_issuer_that_is_away(iam, sts):
    with Issuer() as i:
        p, token = i.provider(iam), i.token()
        arn = i.role(iam, "away", p)
    assert "identity provider" in refused("IDPCommunicationError", assume, sts=sts, arn=arn, token=token)
