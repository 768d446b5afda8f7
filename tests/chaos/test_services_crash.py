# SPDX-License-Identifier: Apache-2.0
"""Functions, logs, images and APIs under kill -9: what was acknowledged is there after the restart, whole, and goes on."""
import hashlib
import http.client
import io
import json
import os
import pathlib
import signal
import threading
import time
import zipfile

from botocore.exceptions import BotoCoreError, ClientError

from cloud_load import env_int

# An invocation counts as run when the function itself has written it down with its role's credentials.
CODE = """import boto3
ssm = boto3.client("ssm")
def handler(event, context):
    ssm.put_parameter(Name="/ran/" + event["n"], Value=context.aws_request_id, Type="String", Overwrite=True)
"""


def packed(**files):
    b = io.BytesIO()
    with zipfile.ZipFile(b, "w") as z:
        for name, text in files.items():
            z.writestr(name + ".py", text)
    return b.getvalue()


class Services:
    """Threads that write through the services' APIs; what was acknowledged is remembered, what was not is no promise."""

    def __init__(self, cloud):
        self.cloud, self.stop, self.turn = cloud, threading.Event(), 0
        self.c = {n: cloud.client(n, plain=True, read_timeout=30) for n in ("lambda", "logs", "ecr", "apigateway", "ssm", "iam")}
        self.events, self.lines, self.images, self.apis, self.versions, self.refused = [], {}, {}, [], {}, []
        iam = self.c["iam"]
        trust = {"Statement": {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}}
        role = iam.create_role(RoleName="runs", AssumeRolePolicyDocument=json.dumps(trust))["Role"]["Arn"]
        iam.put_role_policy(RoleName="runs", PolicyName="p", PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": ["ssm:PutParameter", "logs:*"], "Resource": "*"}}))
        self.c["lambda"].create_function(FunctionName="writes", Role=role, Runtime="python3.12", Handler="index.handler", Timeout=30, Code={"ZipFile": packed(index=CODE)})
        # Two environments: each restart and each change of the configuration makes new ones, which import the SDK first.
        self.c["lambda"].put_function_concurrency(FunctionName="writes", ReservedConcurrentExecutions=2)
        self.c["lambda"].invoke(FunctionName="writes", Payload=json.dumps({"n": "first"}))
        self.c["logs"].create_log_group(logGroupName="g")
        self.c["ecr"].create_repository(repositoryName="repo")

    def invokes(self, name):
        r = self.c["lambda"].invoke(FunctionName="writes", InvocationType="Event", Payload=json.dumps({"n": name}))
        assert r["StatusCode"] == 202
        self.events.append(name)
        time.sleep(0.02)  # what is queued must be worked off in the end

    def publishes(self, name):
        self.c["lambda"].update_function_configuration(FunctionName="writes", Environment={"Variables": {"NAME": name}})
        self.versions[self.c["lambda"].publish_version(FunctionName="writes")["Version"]] = name

    def logs(self, name):
        stream = name.split("-")[0]
        if stream not in self.lines:
            self.c["logs"].create_log_stream(logGroupName="g", logStreamName=stream)
            self.lines[stream] = []
        batch = ["%s %d" % (name, i) for i in range(5)]
        self.c["logs"].put_log_events(logGroupName="g", logStreamName=stream, logEvents=[{"timestamp": int(time.time() * 1000), "message": m} for m in batch])
        self.lines[stream] += batch

    def image(self, name):
        ecr, digests = self.c["ecr"], []
        for blob in ("{}".encode(), name.encode() * 2000):
            digests.append("sha256:" + hashlib.sha256(blob).hexdigest())
            if ecr.batch_check_layer_availability(repositoryName="repo", layerDigests=digests[-1:])["layers"][0]["layerAvailability"] == "AVAILABLE":
                continue
            up = ecr.initiate_layer_upload(repositoryName="repo")["uploadId"]
            ecr.upload_layer_part(repositoryName="repo", uploadId=up, partFirstByte=0, partLastByte=len(blob) - 1, layerPartBlob=blob)
            ecr.complete_layer_upload(repositoryName="repo", uploadId=up, layerDigests=digests[-1:])
        kind = "application/vnd.docker."
        manifest = json.dumps({"schemaVersion": 2, "mediaType": kind + "distribution.manifest.v2+json",
                               "config": {"mediaType": kind + "container.image.v1+json", "size": 2, "digest": digests[0]},
                               "layers": [{"mediaType": kind + "image.rootfs.diff.tar.gzip", "size": len(name) * 2000, "digest": digests[1]}]})
        ecr.put_image(repositoryName="repo", imageManifest=manifest, imageTag=name)
        self.images[name] = (manifest, digests[1])

    def api(self, name):
        gw = self.c["apigateway"]
        a = gw.create_rest_api(name=name)["id"]
        root = gw.get_resources(restApiId=a)["items"][0]["id"]
        gw.put_method(restApiId=a, resourceId=root, httpMethod="GET", authorizationType="NONE")
        gw.put_integration(restApiId=a, resourceId=root, httpMethod="GET", type="MOCK", requestTemplates={"application/json": '{"statusCode": 200}'})
        gw.put_method_response(restApiId=a, resourceId=root, httpMethod="GET", statusCode="200")
        gw.put_integration_response(restApiId=a, resourceId=root, httpMethod="GET", statusCode="200", responseTemplates={"application/json": name})
        gw.create_deployment(restApiId=a, stageName="s")
        self.apis.append((a, name))

    def guard(self, fn, turn):
        i = 0
        while not self.stop.is_set():
            i += 1
            try:
                fn("%s%d-%d" % (fn.__name__, turn, i))
            except ClientError as e:
                self.refused.append((fn.__name__, e.response["Error"]))
            except (BotoCoreError, OSError):
                return

    def start(self):
        self.stop.clear()
        self.turn += 1
        self.threads = [threading.Thread(target=self.guard, args=(f, self.turn), daemon=True) for f in (self.invokes, self.publishes, self.logs, self.image, self.api)]
        for t in self.threads:
            t.start()

    def join(self):
        self.stop.set()
        for t in self.threads:
            t.join(40)
            assert not t.is_alive()

    def check_logs(self):
        for stream, want in self.lines.items():
            got, token = [], None
            while True:
                r = self.c["logs"].get_log_events(logGroupName="g", logStreamName=stream, startFromHead=True, **({"nextToken": token} if token else {}))
                if r["nextForwardToken"] == token:
                    break
                got, token = got + [e["message"] for e in r["events"]], r["nextForwardToken"]
            assert got[:len(want)] == want, stream
            assert len(got) - len(want) in (0, 5), (stream, len(got), len(want))  # the call that was cut off: all of it or nothing

    def check(self):
        self.check_logs()
        ecr = self.c["ecr"]
        for name, (manifest, layer) in self.images.items():
            assert ecr.batch_get_image(repositoryName="repo", imageIds=[{"imageTag": name}])["images"][0]["imageManifest"] == manifest
            assert ecr.get_download_url_for_layer(repositoryName="repo", layerDigest=layer)["downloadUrl"]
            assert ecr.batch_check_layer_availability(repositoryName="repo", layerDigests=[layer])["layers"][0]["layerSize"] == len(name) * 2000
        for a, name in self.apis:
            h = http.client.HTTPConnection("127.0.0.1", self.cloud.port, timeout=20)
            h.request("GET", "/s", headers={"Host": a + ".execute-api.us-east-1.amazonaws.com"})
            assert h.getresponse().read().decode() == name
        there = {v["Version"]: v.get("Environment", {}).get("Variables", {}).get("NAME") for p in self.c["lambda"].get_paginator("list_versions_by_function").paginate(FunctionName="writes") for v in p["Versions"]}
        assert {v: there.get(v) for v in self.versions} == self.versions
        left, end = set(self.events), time.time() + 120
        while left and time.time() < end:
            left -= {p["Name"].removeprefix("/ran/") for page in self.c["ssm"].get_paginator("describe_parameters").paginate() for p in page["Parameters"]}
            time.sleep(0.3)
        assert not left, "%d of %d accepted invocations never ran: %s" % (len(left), len(self.events), sorted(left)[:5])


def test_kill_9_of_the_services_loses_nothing(own_cloud):
    load = Services(own_cloud)
    for _ in range(env_int("CLOUDKEEP_CHAOS_ROUNDS", 3)):
        load.start()
        time.sleep(1.2)
        own_cloud.kill()
        load.join()
        own_cloud.start()
    print(len(load.events), len(load.images), len(load.apis), len(load.versions), {k: len(v) for k, v in load.lines.items()})
    assert load.events and load.lines and load.images and load.apis and load.versions
    # A version while the last one is still being made is refused, as on AWS; nothing else is.
    assert not [r for r in load.refused if r[1]["Code"] != "ResourceConflictException"], load.refused[:3]
    load.check()


def test_functions_run_although_their_old_process_ends_late(own_cloud):
    """After kill -9 the process that starts functions ends by itself, and takes its control groups along: not those of the next one."""
    load = Services(own_cloud)
    children = [p for f in pathlib.Path("/proc/%d/task" % own_cloud.proc.pid).glob("*/children") for p in f.read_text().split()]
    old = [int(p) for p in children if pathlib.Path("/proc/%s/comm" % p).read_text().strip() == "cloudkeep-procd"]
    assert len(old) == 1
    os.kill(old[0], signal.SIGSTOP)
    try:
        own_cloud.kill()
        own_cloud.start()
        done = []
        t = threading.Thread(target=lambda: done.append(load.c["lambda"].invoke(FunctionName="writes", Payload=json.dumps({"n": "waits"}))), daemon=True)
        t.start()
        t.join(1.5)
        assert not done
    finally:
        os.kill(old[0], signal.SIGCONT)
    t.join(60)
    assert done and "FunctionError" not in done[0]
    load.publishes("next")
    assert "FunctionError" not in load.c["lambda"].invoke(FunctionName="writes", Payload=json.dumps({"n": "anew"}))
    load.events += ["waits", "anew"]
    load.check()
