# SPDX-License-Identifier: Apache-2.0
"""What bench/run measures of functions, APIs and the tools: cold and warm invocations, API Gateway beside the echo, and our share of
the time that the CDK and Terraform take."""
import io
import json
import os
import shutil
import statistics
import subprocess
import sys
import threading
import time
import zipfile

from peers import BUILD, ROOT, Cloudkeep, Echo, Failed, Folder, Replay, capture

NODE = "export const handler = async (event) => event;\n"
PYTHON = "def handler(event, context):\n    return event\n"
AT_ONCE = 16
BURST = 20
MANY_REGIONS = ["us-west-2", "eu-west-1", "us-east-2", "us-west-1", "eu-west-2", "eu-central-1", "ap-south-1", "sa-east-1"]


def archive(name, text):
    z = io.BytesIO()
    with zipfile.ZipFile(z, "w") as f:
        f.writestr(name, text)
    return z.getvalue()


def role_of(server):
    return server.client("iam").create_role(RoleName="bench", AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}]}))["Role"]["Arn"]


def make(server, name, runtime, role):
    file, text = ("index.mjs", NODE) if runtime.startswith("node") else ("index.py", PYTHON)
    return server.client("lambda").create_function(FunctionName=name, Runtime=runtime, Role=role, Handler="index.handler", MemorySize=1769, Timeout=30,
                                                   Code={"ZipFile": archive(file, text)})["FunctionArn"]


def bare_command(folder, runtime):
    """What starts the same program, loads the handler and calls it once."""
    found = sorted(ROOT.glob("runtimes/engines/node_modules/node24-*/bin/node"))
    node = str(found[0]) if found else shutil.which("node")
    if runtime.startswith("node"):
        (folder / "index.mjs").write_text(NODE)
        return [node, "--input-type=module", "-e", f"import {{ handler }} from '{folder}/index.mjs'; await handler({{}})"]
    (folder / "index.py").write_text(PYTHON)
    return ["/usr/bin/python3", "-c", f"import sys; sys.path.insert(0, '{folder}'); import index; index.handler({{}}, None)"]


def cold_and_bare(server, name, bare, times):
    """Milliseconds of an invocation that finds no environment (the configuration was changed before each), and of the bare command,
    in turn: what else the machine does meets both."""
    client, took, alone = server.client("lambda"), [], []
    for i in range(times):
        client.update_function_configuration(FunctionName=name, Description=f"cold {i}")
        start = time.perf_counter()
        r = client.invoke(FunctionName=name, Payload=b"{}")
        took.append((time.perf_counter() - start) * 1000)
        if "FunctionError" in r:
            raise Failed(f"{name}: {r['Payload'].read()[:200]}")
        start = time.perf_counter()
        subprocess.run(bare, check=True, stdout=subprocess.DEVNULL)
        alone.append((time.perf_counter() - start) * 1000)
    return statistics.median(took), statistics.median(alone)


def burst_and_bare(server, names, bare):
    """Milliseconds until functions that are all invoked at once, each for the first time, have answered; and of as many bare commands."""
    client, failed = server.client("lambda"), []

    def invoke(name):
        if "FunctionError" in client.invoke(FunctionName=name, Payload=b"{}"):
            failed.append(name)

    threads = [threading.Thread(target=invoke, args=(n,)) for n in names]
    start = time.perf_counter()
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    took = (time.perf_counter() - start) * 1000
    if failed:
        raise Failed(f"{failed} failed")
    start = time.perf_counter()
    for p in [subprocess.Popen(bare, stdout=subprocess.DEVNULL) for _ in names]:
        p.wait()
    return took, (time.perf_counter() - start) * 1000


def api_of(server, function=None, region="us-east-1"):
    """An API with a mock at /mock and the function (if given) at /fn, deployed; its host name."""
    gw = server.client("apigateway", region)
    api = gw.create_rest_api(name="bench")["id"]
    root = gw.get_resources(restApiId=api)["items"][0]["id"]
    for part in ("mock", "fn") if function else ("mock",):
        r = gw.create_resource(restApiId=api, parentId=root, pathPart=part)["id"]
        where = {"restApiId": api, "resourceId": r, "httpMethod": "POST"}
        gw.put_method(authorizationType="NONE", **where)
        if part == "mock":
            gw.put_integration(type="MOCK", requestTemplates={"application/json": '{"statusCode": 200}'}, **where)
            gw.put_method_response(statusCode="200", **where)
            gw.put_integration_response(statusCode="200", responseTemplates={"application/json": '{"ok": true}'}, **where)
        else:
            gw.put_integration(type="AWS_PROXY", integrationHttpMethod="POST",
                               uri=f"arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/{function}/invocations", **where)
    gw.create_deployment(restApiId=api, stageName="bench")
    if function:
        server.client("lambda").add_permission(FunctionName=function, StatementId="api", Action="lambda:InvokeFunction", Principal="apigateway.amazonaws.com")
    return f"{api}.execute-api.{region}.amazonaws.com"


def post(host, path, body):
    return (f"POST {path} HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n").encode() + body


PROXY = "export const handler = async () => ({ statusCode: 200, body: '{\"ok\":true}' });\n"


def function_rows(o, Row, rate, progress, beside):
    rows, times = [], 3 if o.quick else 9
    with Folder() as f:
        server, echo = f.add(Cloudkeep(f.path / "data")), f.add(Echo())
        role = role_of(server)
        for name, runtime in (("Node.js", "nodejs24.x"), ("Python", "python3.12")):
            progress(f"cold starts of {name}")
            make(server, runtime.replace(".", ""), runtime, role)
            command = bare_command(f.path, runtime)
            mine, bare = cold_and_bare(server, runtime.replace(".", ""), command, times)
            rows.append(Row(f"cold invoke of {name}, isolated", f"{mine:.0f} ms", f"bare start {bare:.0f} ms", mine / bare, "<= 1.5", mine / bare <= 1.5))
            names = [f"burst{i}-{runtime.replace('.', '')}" for i in range(BURST)]
            for n in names:
                make(server, n, runtime, role)
            mine, bare = burst_and_bare(server, names, command)
            rows.append(Row(f"{BURST} cold functions of {name} at once", f"{mine:.0f} ms", f"bare starts {bare:.0f} ms", mine / bare, "<= 1.5", mine / bare <= 1.5))
        progress("warm invocations")
        payload = json.dumps({"x": "y" * 1000}).encode()
        invoke = Replay(server, f.path, "invoke", capture(server.client("lambda"), "invoke", [{"FunctionName": "nodejs24x", "Payload": payload}] * 64), AT_ONCE)
        invoke.run(3)  # environments for all of them
        warm = statistics.median(invoke.run(o.seconds)["rate"] for _ in range(o.rounds))
        rows.append(Row(f"warm invoke, 1 KB, {AT_ONCE} at once", f"{warm:,.0f}/s", "-", None, ">= 5000/s", warm >= 5000,
                        "moto's server runs functions in Docker only: nothing to compare with"))
        progress("API Gateway")
        arn = server.client("lambda").create_function(FunctionName="proxy", Runtime="nodejs24.x", Role=role, Handler="index.handler", MemorySize=1769,
                                                      Code={"ZipFile": archive("index.mjs", PROXY)})["FunctionArn"]
        host = api_of(server, arn)
        # An account has 10,000 requests a second in a region: enough regions are asked in turn.
        hosts = [host]
        for region in MANY_REGIONS:
            subprocess.run([BUILD / "src/cli/cloudkeep", "region", "start", region, "--data", server.data], check=True, stdout=subprocess.DEVNULL)
            hosts.append(api_of(server, region=region))
        mock = Replay(server, f.path, "mock", [post(h, "/bench/mock", b'{"a":1}') for h in hosts] * 8)
        try:
            mine, limit = beside([mock, mock.at(echo)], o.rounds, o.seconds)
            ratio = mine["rate"] / limit["rate"]
            rows.append(Row("API Gateway MOCK, 64 connections", rate(mine), "echo " + rate(limit), ratio, ">= 0.4", ratio >= 0.4,
                            f"CPU {mine['cpu_us']:.1f} us v. {limit['cpu_us']:.1f}"))
        except Failed as e:
            rows.append(Row("API Gateway MOCK, 64 connections", note=str(e)))
        proxy = Replay(server, f.path, "proxy", [post(host, "/bench/fn", b'{"a":1}')] * 64, AT_ONCE)
        proxy.run(3)
        both = beside([proxy, invoke], o.rounds, o.seconds)
        ratio = both[0]["rate"] / both[1]["rate"]
        rows.append(Row(f"API Gateway Lambda proxy, {AT_ONCE} at once", rate(both[0]), "invoke " + rate(both[1]), ratio, ">= 0.8", ratio >= 0.8))
    return rows


# --- tools ---
def answered(server):
    p = subprocess.run([BUILD / "src/cli/cloudkeep", "status", "--json", "--data", server.data], capture_output=True, text=True, check=True)
    j = json.loads(p.stdout)
    return j["answered"], j["answered_us"] - j["put_off_us"], j["put_off_us"]


def share(server, name, Row, run):
    """The sum of our answers' durations as a part of what the command took. How long looks at a stack were put off until its
    operation was over is not in it, and is told beside: that is the time of the operation (and of functions that it waits for)."""
    n0, us0, off0 = answered(server)
    start = time.perf_counter()
    done = run()
    took = time.perf_counter() - start
    n1, us1, off1 = answered(server)
    if done.returncode != 0:
        raise Failed(f"{name}: {(done.stdout + done.stderr)[-400:]}")
    part = (us1 - us0) / 1e6 / took
    return Row(name, f"{(us1 - us0) / 1000:,.0f} ms", f"whole {took:.1f} s", part, "<= 0.05", part <= 0.05,
               f"{n1 - n0} calls" + (f"; looks put off for {(off1 - off0) / 1e6:.1f} s" if off1 > off0 else ""))


def environment(server, home, **more):
    p = subprocess.run([BUILD / "src/cli/cloudkeep", "env", "--json", "--data", server.data], capture_output=True, text=True, check=True)
    return {"PATH": os.environ["PATH"], "HOME": str(home), "CI": "true", "CDK_DISABLE_CLI_TELEMETRY": "true", **json.loads(p.stdout), **more}


def cdk_rows(o, Row, progress):
    app = ROOT / "stacks/secure-multi-region/cdk"
    cdk = app / "node_modules/.bin/cdk"
    if not cdk.exists():
        return [Row("cdk deploy of 3 regions", note="its packages are not installed (scripts/setup)")]
    with Folder() as f:
        server = f.add(Cloudkeep(f.path / "data"))
        here = f.path / "app"
        shutil.copytree(app, here, ignore=shutil.ignore_patterns("node_modules", "cdk.out", "cdk.context.json"))
        (here / "node_modules").symlink_to(app / "node_modules")
        env = environment(server, f.path, TS_NODE_TRANSPILE_ONLY="true")
        account = server.root()["account"]

        def run(*args):
            return subprocess.run([cdk, *args], cwd=here, env=env, capture_output=True, text=True)
        progress("cdk bootstrap")
        run("synth", "--quiet")
        rows = [share(server, "cdk bootstrap of 3 regions: our share", Row,
                      lambda: run("bootstrap", "--app", "cdk.out", *[f"aws://{account}/{r}" for r in ("us-east-1", "us-west-2", "eu-west-1")]))]
        progress("cdk deploy")
        rows.append(share(server, "cdk deploy of 3 regions: our share", Row,
                          lambda: run("deploy", "--app", "cdk.out", "--require-approval", "never", "--concurrency", "3", "--all")))
        return rows


def terraform_rows(o, Row, progress):
    sys.path.insert(0, str(ROOT / "tests/tools"))
    sys.path.insert(0, str(ROOT / "tests"))
    import tools_lib
    with Folder() as f:
        try:
            tf = tools_lib.Terraform(ROOT / "stacks/private-api/terraform", f.path)
        except tools_lib.Missing as e:
            return [Row("terraform apply of 3 regions", note=str(e))]
        server = f.add(Cloudkeep(f.path / "data"))
        subprocess.run([BUILD / "src/cli/cloudkeep", "region", "start", "eu-central-1", "--data", server.data], check=True, stdout=subprocess.DEVNULL)
        env = tf.base(environment(server, f.path))

        def run(*args):
            return subprocess.run([tf.program, *args, "-no-color", "-input=false"], cwd=tf.folder, env=env, capture_output=True, text=True)
        progress("terraform init")
        if run("init").returncode != 0:
            return [Row("terraform apply of 3 regions", note="terraform init failed")]
        progress("terraform apply")
        rows = [share(server, "terraform apply of 3 regions: our share", Row, lambda: run("apply", "-auto-approve", "-parallelism=30"))]
        progress("terraform plan")
        rows.append(share(server, "terraform plan of 3 regions: our share", Row, lambda: run("plan")))
        return rows


def tool_rows(o, Row, progress):
    rows = []
    for part in (cdk_rows, terraform_rows):
        try:
            rows += part(o, Row, progress)
        except (Failed, OSError, subprocess.CalledProcessError) as e:
            rows.append(Row(part.__name__.removesuffix("_rows"), note=f"failed: {e}"))
    return rows
