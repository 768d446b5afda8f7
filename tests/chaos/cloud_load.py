# SPDX-License-Identifier: Apache-2.0
"""Writers that remember what was acknowledged, and the check that all of it is there."""
import json
import os
import pathlib
import subprocess
import sys
import threading

from botocore.exceptions import BotoCoreError, ClientError

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
from conftest import binary  # noqa: E402

REGIONS = ("us-east-1", "us-west-2", "eu-west-1")
TRUST = json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}]})


def command(cloud, *args, check=True):
    return subprocess.run([str(binary()), *args, "--data", str(cloud.data)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=check, timeout=60)


def status_kib(cloud, field):
    for line in open("/proc/%d/status" % cloud.proc.pid):
        if line.startswith(field + ":"):
            return int(line.split()[1])
    raise AssertionError(field)


class Load:
    """Threads that write. acked holds what was acknowledged; an error whose outcome is unknown is no promise."""

    def __init__(self, cloud):
        self.cloud, self.lock, self.turn = cloud, threading.Lock(), 0
        self.keys, self.aliases, self.params, self.users, self.roles, self.objects, self.gone = {}, {}, {}, [], [], {}, set()
        self.refused = []  # answers that were errors, by (region, code)
        self.stop = threading.Event()
        # Making a client takes longer than hundreds of calls; clients may be shared by threads.
        self.clients = {(n, r): cloud.client(n, region=r, plain=True, read_timeout=20) for r in REGIONS for n in ("kms", "ssm", "s3")}
        self.iam = cloud.client("iam", plain=True, read_timeout=20)
        for r in REGIONS:
            kw = {} if r == "us-east-1" else {"CreateBucketConfiguration": {"LocationConstraint": r}}
            self.clients["s3", r].create_bucket(Bucket="chaos-" + r, **kw)

    def regional(self, region, n):
        kms, ssm, s3 = (self.clients[s, region] for s in ("kms", "ssm", "s3"))
        i = 0
        while not self.stop.is_set():
            i += 1
            name = "%s-%d-%d-%d" % (region, self.turn, n, i)
            k = kms.create_key(Description=name, Tags=[{"TagKey": "n", "TagValue": name}])["KeyMetadata"]["KeyId"]
            self.keys[k] = (region, name)
            kms.create_alias(AliasName="alias/" + name, TargetKeyId=k)
            self.aliases["alias/" + name] = (region, k)
            p = "/chaos/%s/%d" % (region, n)
            v = ssm.put_parameter(Name=p, Value=name, Type="String", Overwrite=True)["Version"]
            self.params[p] = (region, v, name)
            bucket = "chaos-" + region
            s3.put_object(Bucket=bucket, Key=name, Body=name.encode() * 1000)
            self.objects[(bucket, name)] = (region, name.encode() * 1000)
            if i % 3 == 0:
                up = s3.create_multipart_upload(Bucket=bucket, Key=name + ".multi")["UploadId"]
                tag = s3.upload_part(Bucket=bucket, Key=name + ".multi", UploadId=up, PartNumber=1, Body=b"part" + name.encode())["ETag"]
                s3.complete_multipart_upload(Bucket=bucket, Key=name + ".multi", UploadId=up, MultipartUpload={"Parts": [{"ETag": tag, "PartNumber": 1}]})
                self.objects[(bucket, name + ".multi")] = (region, b"part" + name.encode())
            if i % 4 == 0:
                self.objects.pop((bucket, name))  # from here on unknown, until it is acknowledged
                s3.delete_object(Bucket=bucket, Key=name)
                self.gone.add((region, bucket, name))

    def identities(self, n):
        i = 0
        while not self.stop.is_set():
            i += 1
            name = "chaos-%d-%d-%d" % (self.turn, n, i)
            self.iam.create_user(UserName=name)
            self.users.append(name)
            self.iam.create_role(RoleName=name, AssumeRolePolicyDocument=TRUST)
            self.roles.append(name)

    def guard(self, fn, *args):
        while not self.stop.is_set():
            try:
                fn(*args)
            except ClientError as e:
                self.refused.append((args[0], e.response["Error"]["Code"]))
                if self.stop.wait(0.02):
                    return
            except (BotoCoreError, OSError):
                return
            self.turn += 1

    def start(self, a_region=2):
        self.stop.clear()
        self.turn += 1000
        self.threads = [threading.Thread(target=self.guard, args=(self.regional, r, n), daemon=True) for r in REGIONS for n in range(a_region)]
        self.threads.append(threading.Thread(target=self.guard, args=(self.identities, 0), daemon=True))
        for t in self.threads:
            t.start()

    def join(self):
        self.stop.set()
        for t in self.threads:
            t.join(30)
            assert not t.is_alive()

    def check(self):
        """Everything acknowledged is there, and nothing is torn."""
        kms, ssm, s3 = ({r: self.clients[s, r] for r in REGIONS} for s in ("kms", "ssm", "s3"))
        for k, (r, name) in self.keys.items():
            assert kms[r].describe_key(KeyId=k)["KeyMetadata"]["Description"] == name
            assert kms[r].list_resource_tags(KeyId=k)["Tags"] == [{"TagKey": "n", "TagValue": name}]
        for a, (r, k) in self.aliases.items():
            assert kms[r].describe_key(KeyId=a)["KeyMetadata"]["KeyId"] == k
        for p, (r, v, value) in self.params.items():
            assert ssm[r].get_parameter(Name="%s:%d" % (p, v))["Parameter"]["Value"] == value
            assert ssm[r].get_parameter(Name=p)["Parameter"]["Version"] >= v
        for (b, k), (r, body) in self.objects.items():
            assert s3[r].get_object(Bucket=b, Key=k)["Body"].read() == body
        for r in REGIONS:
            there = {o["Key"] for page in s3[r].get_paginator("list_objects_v2").paginate(Bucket="chaos-" + r) for o in page.get("Contents", [])}
            assert not there & {k for (reg, b, k) in self.gone if reg == r}
            for k in there:  # what was not acknowledged may be there, but whole
                body = s3[r].get_object(Bucket="chaos-" + r, Key=k)["Body"].read()
                assert body in (k.encode() * 1000, b"part" + k.removesuffix(".multi").encode()), k
        iam = self.iam
        assert {u["UserName"] for p in iam.get_paginator("list_users").paginate() for u in p["Users"]} >= set(self.users)
        assert {u["RoleName"] for p in iam.get_paginator("list_roles").paginate() for u in p["Roles"]} >= set(self.roles)

    def check_trail(self):
        made = {}
        for f in self.cloud.data.rglob("trail/*.jsonl"):
            for line in f.read_bytes().splitlines():
                try:
                    rec = json.loads(line)
                except ValueError:
                    continue  # cut short by a crash, before its call was answered
                made.setdefault(rec["eventName"], []).append(rec)
        ok = [x for x in made.get("CreateKey", []) if "errorCode" not in x]
        assert {x["responseElements"]["KeyMetadata"]["KeyId"] for x in ok} >= set(self.keys)
        assert {x["requestParameters"]["AliasName"] for x in made.get("CreateAlias", [])} >= set(self.aliases)
        assert {x["requestParameters"]["UserName"] for x in made.get("CreateUser", [])} >= set(self.users)
        assert {x["requestParameters"]["Key"] for x in made.get("PutObject", []) + made.get("CompleteMultipartUpload", [])} >= {k for (_, k) in self.objects}


def env_int(name, default):
    return int(os.environ.get(name, default))
