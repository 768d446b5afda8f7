# SPDX-License-Identifier: Apache-2.0
"""The AWS CLI, configured by nothing but the environment that `cloudkeep env` prints."""
import json
import os
import pathlib
import subprocess

import pytest

AWS = pathlib.Path(__file__).resolve().parent.parent.parent / ".venv" / "bin" / "aws"


@pytest.fixture(scope="module")
def aws(cloud, tmp_path_factory):
    if not AWS.exists():
        pytest.skip("the AWS CLI is not installed (scripts/setup)")
    work = tmp_path_factory.mktemp("cli")
    (work / "config").write_text("[default]\ns3 =\n    signature_version = s3v4\n")  # the CLI's default for us-east-1 is version 2, which is refused
    env = dict(cloud.env(), HOME=str(work), AWS_CONFIG_FILE=str(work / "config"), AWS_MAX_ATTEMPTS="1", AWS_PAGER="")

    def run(*args, ok=True, text=False):
        r = subprocess.run([str(AWS), *args], env=env, cwd=work, capture_output=True, text=True, timeout=60)
        assert (r.returncode == 0) == ok, r.stdout + r.stderr
        if not ok:
            return r.stderr
        return r.stdout if text or not r.stdout.startswith(("{", "[")) else json.loads(r.stdout)

    run.work = work
    return run


def test_sts_and_iam(aws, cloud):
    assert aws("sts", "get-caller-identity")["Account"] == cloud.account
    trust = json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"AWS": cloud.account}, "Action": "sts:AssumeRole"}]})
    role = aws("iam", "create-role", "--role-name", "cli-role", "--assume-role-policy-document", trust)["Role"]
    aws("iam", "attach-role-policy", "--role-name", "cli-role", "--policy-arn", "arn:aws:iam::aws:policy/ReadOnlyAccess")
    user = aws("iam", "create-user", "--user-name", "cli-user")["User"]
    aws("iam", "put-user-policy", "--user-name", "cli-user", "--policy-name", "p", "--policy-document",
        json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole", "Resource": role["Arn"]}]}))
    assert [u["UserName"] for u in aws("iam", "list-users")["Users"]] == ["cli-user"] and user["Arn"].endswith(":user/cli-user")
    assert "EntityAlreadyExists" in aws("iam", "create-user", "--user-name", "cli-user", ok=False)


def test_kms(aws):
    key = aws("kms", "create-key")["KeyMetadata"]["KeyId"]
    aws("kms", "create-alias", "--alias-name", "alias/cli", "--target-key-id", key)
    (aws.work / "plain").write_bytes(b"\x00binary\xff")
    blob = aws("kms", "encrypt", "--key-id", "alias/cli", "--plaintext", "fileb://plain", "--encryption-context", "a=b")["CiphertextBlob"]
    (aws.work / "blob").write_text(blob)
    import base64
    (aws.work / "blob.bin").write_bytes(base64.b64decode(blob))
    out = aws("kms", "decrypt", "--ciphertext-blob", "fileb://blob.bin", "--encryption-context", "a=b")
    assert base64.b64decode(out["Plaintext"]) == b"\x00binary\xff"
    assert "InvalidCiphertextException" in aws("kms", "decrypt", "--ciphertext-blob", "fileb://blob.bin", ok=False)


def test_s3_high_level(aws):
    aws("s3", "mb", "s3://cli-bucket")
    (aws.work / "tree" / "sub").mkdir(parents=True)
    (aws.work / "tree" / "a.txt").write_text("a")
    (aws.work / "tree" / "sub" / "b.txt").write_text("b" * 1000)
    big = os.urandom(9 << 20)  # two parts
    (aws.work / "tree" / "big").write_bytes(big)
    aws("s3", "sync", "tree", "s3://cli-bucket/t")
    assert sorted(line.split()[-1] for line in aws("s3", "ls", "--recursive", "s3://cli-bucket", text=True).splitlines()) == ["t/a.txt", "t/big", "t/sub/b.txt"]
    aws("s3", "cp", "s3://cli-bucket/t/big", "back")
    assert (aws.work / "back").read_bytes() == big
    aws("s3", "cp", "s3://cli-bucket/t/big", "s3://cli-bucket/copy")
    assert aws("s3api", "head-object", "--bucket", "cli-bucket", "--key", "copy")["ContentLength"] == len(big)
    assert "BucketNotEmpty" in aws("s3", "rb", "s3://cli-bucket", ok=False)
    aws("s3", "rb", "--force", "s3://cli-bucket")
    assert "NoSuchBucket" in aws("s3", "ls", "s3://cli-bucket", ok=False)


def test_presigned_url(aws, cloud):
    import ssl
    import urllib.request
    aws("s3", "mb", "s3://cli-presign")
    (aws.work / "p").write_text("presigned")
    aws("s3", "cp", "p", "s3://cli-presign/p")
    url = aws("s3", "presign", "s3://cli-presign/p", text=True).strip()
    ctx = ssl.create_default_context(cafile=cloud.ca)
    assert urllib.request.urlopen(url, context=ctx).read() == b"presigned"
    with pytest.raises(urllib.error.HTTPError) as e:
        urllib.request.urlopen(url.replace("cli-presign/p?", "cli-presign/q?"), context=ctx)
    assert e.value.code == 403
    aws("s3", "rb", "--force", "s3://cli-presign")


def test_ssm_and_cloudtrail(aws):
    aws("ssm", "put-parameter", "--name", "/cli/a", "--type", "SecureString", "--value", "v")
    assert aws("ssm", "get-parameter", "--name", "/cli/a", "--with-decryption")["Parameter"]["Value"] == "v"
    assert aws("ssm", "get-parameters-by-path", "--path", "/cli")["Parameters"][0]["Name"] == "/cli/a"
    names = {e["EventName"] for e in aws("cloudtrail", "lookup-events", "--max-items", "100")["Events"]}
    assert {"PutParameter", "GetParameter"} <= names


def test_what_is_not_built_says_so(aws):
    assert "NotImplemented" in aws("kms", "create-custom-key-store", "--custom-key-store-name", "x", ok=False)
