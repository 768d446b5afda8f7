# SPDX-License-Identifier: Apache-2.0
"""Tokens that must not become sessions, and issuers that must not hold anybody up."""
import base64
import json
import socket
import threading
import time

import pytest
from botocore.exceptions import ClientError
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from issuer import Issuer, Key, b64
from registry import Registry
from stack_lib import parameter, settle, template


@pytest.fixture(scope="module")
def sts(cloud):
    return cloud.client("sts", anonymous=True)


@pytest.fixture(scope="module")
def issuer():
    with Issuer() as i:
        i.keys = [Key("k1"), Key("ec1", ec.SECP256R1())]
        yield i


@pytest.fixture(scope="module")
def role(iam, issuer):
    arn = issuer.role(iam, "target", issuer.provider(iam), StringEquals={"sub": "repo:octo/app:ref:refs/heads/main"})
    return arn


def assume(sts, arn, token):
    return sts.assume_role_with_web_identity(RoleArn=arn, RoleSessionName="s1", WebIdentityToken=token)["Credentials"]


def refused(code, sts, arn, token):
    with pytest.raises(ClientError) as e:
        assume(sts, arn, token)
    assert e.value.response["Error"]["Code"] == code, e.value
    return e.value.response["Error"]["Message"]


def body(token):
    h, p, s = token.split(".")
    return h, json.loads(base64.urlsafe_b64decode(p + "=" * (-len(p) % 4))), s


def test_the_door_is_open_for_the_right_one(sts, issuer, role):
    assume(sts, role, issuer.token())
    assume(sts, role, issuer.token(issuer.keys[1], "ES256"))


def test_unsigned(sts, issuer, role):
    for alg in ("none", "None", "NONE", "nOnE", ""):
        for sig in ("", issuer.token().split(".")[2]):
            refused("InvalidIdentityToken", sts, role, b64({"alg": alg, "kid": "k1"}) + "." + b64(issuer.claims()) + "." + sig)
    refused("InvalidIdentityToken", sts, role, b64({"kid": "k1"}) + "." + b64(issuer.claims()) + ".")
    refused("InvalidIdentityToken", sts, role, issuer.token().rsplit(".", 1)[0] + ".")


def test_public_key_as_a_secret(sts, issuer, role):
    public = issuer.keys[0].key.public_key()
    secrets = [public.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo),
               public.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo),
               json.dumps(issuer.keys[0].jwk()).encode(), b""]
    for s in secrets:
        refused("InvalidIdentityToken", sts, role, issuer.hmac_token(s))


def test_wrong_key_under_the_right_name(sts, issuer, role):
    assert refused("InvalidIdentityToken", sts, role, issuer.token(Key("k1"))) == "The token's signature is not valid"
    refused("InvalidIdentityToken", sts, role, issuer.token(Key("ec1", ec.SECP256R1()), "ES256"))


def test_key_brought_along(sts, issuer, role):
    mine = Key("mine")
    refused("InvalidIdentityToken", sts, role, issuer.token(mine, header={"jwk": mine.jwk()}))
    refused("InvalidIdentityToken", sts, role, issuer.token(mine, header={"jku": "https://localhost:1/jwks", "kid": "k1"}))
    refused("InvalidIdentityToken", sts, role, issuer.token(mine, header={"x5c": ["AAAA"], "kid": None}))
    refused("InvalidIdentityToken", sts, role, issuer.token(header={"crit": ["exp"]}))


def test_kid_confusion(sts, issuer, role):
    refused("InvalidIdentityToken", sts, role, issuer.token(header={"kid": "ec1"}))
    refused("InvalidIdentityToken", sts, role, issuer.token(issuer.keys[1], "ES256", header={"kid": "k1"}))
    refused("InvalidIdentityToken", sts, role, issuer.token(issuer.keys[1], "ES256", header={"alg": "RS256", "kid": "ec1"}))
    for kid in ("../k1", "k1\x00", "", 1, ["k1"], {"a": 1}):
        with pytest.raises(ClientError):
            assume(sts, role, issuer.token(Key("x"), header={"kid": kid}))


def test_ambiguous_and_misused_keys(iam, sts):
    with Issuer() as i:
        mine, theirs = Key("same"), Key("same")
        small = Key("small")
        small.key = rsa.generate_private_key(public_exponent=65537, key_size=1024)
        i.keys = [mine, theirs, Key("enc").jwk(use="enc"), {**Key("x").jwk(), "kid": "bad", "n": "AQAB"}, small]
        enc = Key("enc")
        i.keys[2] = enc.jwk(use="enc")
        other = Key("other")
        i.keys.append(other.jwk(alg="RS512"))
        arn = i.role(iam, "ambiguous", i.provider(iam))
        for token in (i.token(mine), i.token(theirs), i.token(enc), i.token(Key("bad")), i.token(other), i.token(small), i.token(mine, header={"kid": None})):
            refused("InvalidIdentityToken", sts, arn, token)
        assume(sts, arn, i.token(other, "RS512"))


def test_times(sts, issuer, role):
    now = int(time.time())
    assert "Token expired" in refused("ExpiredTokenException", sts, role, issuer.token(exp=now - 1, iat=now - 600))
    for claims in ({"exp": None}, {"exp": "%d" % (now + 600)}, {"exp": True}, {"exp": [now + 600]}, {"nbf": now + 120}, {"iat": now + 3600}, {"nbf": "x"}, {"exp": 1e300}):
        refused("InvalidIdentityToken", sts, role, issuer.token(**claims))
    refused("ExpiredTokenException", sts, role, issuer.token(exp=-1))


def test_audiences(sts, issuer, role):
    for aud in ("https://github.com/octo", "sts.amazonaws.com ", "STS.amazonaws.com", ["a", "b"], [], {"a": "sts.amazonaws.com"}, 1):
        assert refused("InvalidIdentityToken", sts, role, issuer.token(aud=aud)) == "Incorrect token audience"
    refused("InvalidIdentityToken", sts, role, issuer.token(aud=None))
    refused("InvalidIdentityToken", sts, role, issuer.token(azp="someone-else"))  # issued to another, whatever its audience
    assume(sts, role, issuer.token(aud=["other", "sts.amazonaws.com"]))


def test_other_issuers(iam, sts, issuer, role):
    with Issuer() as other:
        token = other.token(sub="repo:octo/app:ref:refs/heads/main")
        assert refused("InvalidIdentityToken", sts, role, token).startswith("No OpenIDConnect provider found")
        other.provider(iam)  # trusted here, but not by this role
        refused("AccessDenied", sts, role, token)
        refused("InvalidIdentityToken", sts, role, other.token(iss=issuer.url))  # its own key, another's name
        for iss in (issuer.url + "/", issuer.url.upper(), issuer.name, "https://" + issuer.name.upper(), issuer.url + "\x00", None, "", 7):
            refused("InvalidIdentityToken", sts, role, issuer.token(iss=iss))


def test_token_against_other_roles(iam, sts, issuer, role):
    provider = "arn:aws:iam::%s:oidc-provider/%s" % (role.split(":")[4], issuer.name)
    other = issuer.role(iam, "deploy", provider, StringEquals={"sub": "repo:octo/app:environment:production"})
    token = issuer.token()
    assume(sts, role, token)
    refused("AccessDenied", sts, other, token)
    refused("AccessDenied", sts, role.replace("/target", "/nobody"), token)
    refused("AccessDenied", sts, role.replace(role.split(":")[4], "000000000001"), token)


def test_altered_claims(sts, issuer, role):
    h, claims, s = body(issuer.token(sub="repo:evil/app:ref:refs/heads/main"))
    claims["sub"] = "repo:octo/app:ref:refs/heads/main"
    refused("InvalidIdentityToken", sts, role, h + "." + b64(claims) + "." + s)
    token = issuer.token()
    refused("InvalidIdentityToken", sts, role, token[:-8] + ("AAAAAAAA" if token[-8:] != "AAAAAAAA" else "BBBBBBBB"))
    # r and s of nothing, and of more than the curve has
    h, p, _ = issuer.token(issuer.keys[1], "ES256").split(".")
    for s in (b"\0" * 64, b"\xff" * 64, b"\0" * 63, b"\0" * 132, b""):
        refused("InvalidIdentityToken", sts, role, h + "." + p + "." + b64(s))


def test_not_tokens(sts, issuer, role):
    for token in ("....", "aa.b", "a.b.c", "a.b.c.d", "eyJ.eyJ.eyJ", "gho_1234567890", b64([]) + "." + b64([]) + ".AAAA",
                  b64({"alg": "RS256"}) + "." + b64("x") + ".AAAA", "=.=.=", issuer.token() + ".x"):
        refused("InvalidIdentityToken", sts, role, token)
    deep = b64(b'{"a":' * 200 + b"1" + b"}" * 200)
    refused("InvalidIdentityToken", sts, role, b64({"alg": "RS256", "kid": "k1"}) + "." + deep + ".AAAA")


def test_huge_token(sts, issuer, role):
    refused("ValidationError", sts, role, issuer.token(junk="x" * 30000))
    assume(sts, role, issuer.token(junk="x" * 12000))


def test_keys_that_are_not_to_be_had(iam, sts):
    """A configuration that leads astray is refused, whatever it leads to."""
    answers = ({"jwks_uri": "http://localhost:1/jwks"}, {"issuer": "https://other.example.test"}, {"jwks_uri": None}, {"jwks_uri": "file:///etc/passwd"})
    for n, configuration in enumerate(answers):
        with Issuer() as i:
            i.configuration = configuration
            refused("InvalidIdentityToken", sts, i.role(iam, "astray%d" % n, i.provider(iam)), i.token())
    with Issuer() as i:
        i.configuration = {"jwks_uri": "https://169.254.169.254/latest/meta-data/"}
        refused("IDPCommunicationError", sts, i.role(iam, "metadata", i.provider(iam)), i.token())
    with Issuer() as i:
        i.keys = [{**Key("k%d" % n, ec.SECP256R1()).jwk(), "pad": "x" * 3000} for n in range(100)]
        refused("IDPCommunicationError", sts, i.role(iam, "large", i.provider(iam)), i.token(Key("k1")))


def test_somebody_between(iam, sts):
    """The name is right, the certificate is another's: no key of his is believed."""
    with Issuer() as i, Issuer() as thief:
        arn = i.role(iam, "between", i.provider(iam, ThumbprintList=[thief.thumbprint]))
        assert "thumbprint" in refused("InvalidIdentityToken", sts, arn, i.token())
    with Issuer() as i:
        arn = i.role(iam, "nopins", i.provider(iam, ThumbprintList=[]))
        refused("InvalidIdentityToken", sts, arn, i.token())
        assert i.asked == []
    with Issuer(host="elsewhere.example.test") as i:  # trusted by its thumbprint, but a certificate for another name
        arn = i.role(iam, "name", i.provider(iam))
        refused("InvalidIdentityToken", sts, arn, i.token())
        assert i.asked == []


def test_an_issuer_that_never_answers(cloud, iam, sts, issuer, role):
    """It holds up nobody but who asks for it, and him not for long; the cloud ends at once meanwhile (the fixture sees to it)."""
    with Issuer() as slow:
        arn = slow.role(iam, "slow", slow.provider(iam))
        slow.hang.set()
        codes = []

        def ask():
            try:
                assume(cloud.client("sts", anonymous=True), arn, slow.token())
            except ClientError as e:
                codes.append(e.response["Error"]["Code"])

        threads = [threading.Thread(target=ask) for _ in range(12)]
        for t in threads:
            t.start()
        assume(sts, role, issuer.token())
        cloud.client("sts").get_caller_identity()
        assert codes == []
        for t in threads:
            t.join(60)
        assert codes == ["IDPCommunicationError"] * 12
        assert slow.asked.count("/jwks") == 1  # one asked for all


def test_unknown_keys_do_not_flood_the_issuer(iam, sts):
    with Issuer() as i:
        arn = i.role(iam, "flood", i.provider(iam))
        assume(sts, arn, i.token())
        for n in range(20):
            refused("InvalidIdentityToken", sts, arn, i.token(header={"kid": "u%d" % n}))
        assert i.asked.count("/jwks") < 15


def test_unknown_keys_take_nobody_elses_away(iam, sts):
    """Anybody may make the set be fetched again: when that fails, the keys that are kept are as good as they were."""
    with Issuer() as i:
        arn = i.role(iam, "kept", i.provider(iam))
        assume(sts, arn, i.token())
        i.configuration, before, end = {"issuer": "https://elsewhere.test"}, len(i.asked), time.time() + 30
        while len(i.asked) == before and time.time() < end:
            refused("InvalidIdentityToken", sts, arn, i.token(header={"kid": "unknown"}))
            time.sleep(0.1)
        assert len(i.asked) > before
        assume(sts, arn, i.token())
        refused("InvalidIdentityToken", sts, arn, i.token(header={"kid": "unknown"}))


def own_address():
    """An address of this machine that is not its loopback's."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        try:
            s.connect(("192.0.2.1", 9))  # sends nothing
            return None if s.getsockname()[0].startswith("127.") else s.getsockname()[0]
        except OSError:
            return None


def test_an_issuer_elsewhere_does_not_send_us_home(iam, sts):
    """Keys behind an address of our own loopback are an issuer's that is there itself."""
    if not own_address():
        pytest.skip("this machine has the loopback alone")
    with Issuer() as here, Issuer(host=own_address(), address=own_address()) as there:
        there.configuration = {"jwks_uri": here.url + "/jwks"}
        arn = there.role(iam, "home", there.provider(iam, ThumbprintList=[here.thumbprint, there.thumbprint]))
        refused("IDPCommunicationError", sts, arn, there.token(here.keys[0]))
        assert there.asked and not here.asked


def test_signing_does_not_help(cloud, iam, issuer, role):
    """The token is what counts: root's signature adds nothing to it."""
    refused("InvalidIdentityToken", cloud.client("sts"), role, issuer.token(Key("k1")))
    refused("AccessDenied", cloud.client("sts"), role, issuer.token(sub="other"))


def test_the_provider_of_a_session_counts_for_what_is_done_in_its_name(cloud, iam, sts, issuer, role):
    """A condition on the provider holds for the registry's password and for stacks, which act later as who asked for them."""
    provider = "arn:aws:iam::%s:oidc-provider/%s" % (cloud.account, issuer.name)
    arn = issuer.role(iam, "bound", provider)
    forbidden = {"Effect": "Deny", "Action": ["ecr:BatchGetImage", "ssm:PutParameter"], "Resource": "*",
                 "Condition": {"StringEquals": {"aws:FederatedProvider": provider}}}
    iam.put_role_policy(RoleName="bound", PolicyName="p", PolicyDocument=json.dumps(
        {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}, forbidden]}))
    creds = assume(sts, arn, issuer.token())
    cloud.client("ecr").create_repository(repositoryName="bound")
    registry = Registry(cloud, creds)
    Registry(cloud).push_image("bound", "x", "v1")
    assert registry("GET", "/v2/bound/tags/list").status == 200 and registry("GET", "/v2/bound/manifests/v1").status == 403
    cf = cloud.client("cloudformation", key=creds)
    cf.create_stack(StackName="bound", TemplateBody=template({"P": parameter("x", Name="/bound")}))
    assert settle(cf, "bound")["StackStatus"] == "ROLLBACK_COMPLETE"
