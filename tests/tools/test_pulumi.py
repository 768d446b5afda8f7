# SPDX-License-Identifier: Apache-2.0
"""The reference stack of a private API as a Pulumi program: its types hold; where Pulumi and its AWS plugin are on the machine,
it is made, previewed, and taken away in three regions."""
import json
import os
import pathlib
import re
import shutil
import subprocess

import pytest

from tools_lib import ROOT, environment, find_file, make_cloud, status

STACK = ROOT / "stacks" / "private-api" / "pulumi"
REGIONS = ("us-east-1", "us-west-2", "eu-central-1")


def packages():
    if not (STACK / "node_modules" / "@pulumi" / "aws").is_dir() or not shutil.which("node"):
        pytest.skip("Node.js or the packages of %s are missing (scripts/setup installs them)" % STACK.relative_to(ROOT))


def test_the_program_fits_the_packages_that_it_names():
    packages()
    p = subprocess.run(["node", str(STACK / "node_modules" / "typescript" / "bin" / "tsc"), "--noEmit", "-p", str(STACK)], stdout=subprocess.PIPE,
                       stderr=subprocess.STDOUT, text=True, timeout=300)
    assert p.returncode == 0, p.stdout[-4000:]


@pytest.fixture(scope="module")
def pulumi(tmp_path_factory):
    """The program in a folder of its own, with a backend of files, and Pulumi's environment."""
    program = shutil.which("pulumi") or find_file("pulumi")
    if not program:
        pytest.skip("the Pulumi CLI was looked for on PATH, in ~/.pulumi and below /opt: it is not on this machine")
    plugin = find_file("pulumi-resource-aws", [os.environ["PULUMI_HOME"]] if os.environ.get("PULUMI_HOME") else [])
    plugin = plugin or (pathlib.Path(shutil.which("pulumi-resource-aws")) if shutil.which("pulumi-resource-aws") else None)
    if not plugin:
        pytest.skip("Pulumi's AWS plugin (pulumi-resource-aws) was looked for on PATH, in PULUMI_HOME, ~/.pulumi and below /opt")
    packages()
    cloud, d = make_cloud(regions=",".join(REGIONS))
    cloud.start()
    folder = tmp_path_factory.mktemp("pulumi")
    shutil.copytree(STACK, folder / "app", symlinks=True, ignore=shutil.ignore_patterns("node_modules"))
    (folder / "app" / "node_modules").symlink_to(STACK / "node_modules")
    (folder / "state").mkdir()
    path = os.pathsep.join([str(pathlib.Path(program).parent), str(plugin.parent), os.environ["PATH"]])
    env = environment(cloud, PATH=path, PULUMI_BACKEND_URL="file://%s" % (folder / "state"), PULUMI_CONFIG_PASSPHRASE="only for this test",
                      PULUMI_SKIP_UPDATE_CHECK="true", PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION="true", HOME=str(folder))

    def run(*args, ok=True):
        p = subprocess.run([str(program), *args, "--non-interactive"], cwd=folder / "app", env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                           text=True, timeout=600)
        assert not ok or p.returncode == 0, p.stdout[-6000:]
        return p.stdout
    run("stack", "init", "test")
    yield run, cloud
    code = cloud.stop()
    shutil.rmtree(d, ignore_errors=True)
    assert code == 0


def test_up_preview_destroy(pulumi):
    run, cloud = pulumi
    before = [r["resources"] for r in status(cloud)["regions"]]
    run("up", "--yes", "--skip-preview")
    for region in REGIONS:
        ec2 = cloud.client("ec2", region=region)
        e = ec2.describe_vpc_endpoints()["VpcEndpoints"]
        assert len(e) == 1 and e[0]["PrivateDnsEnabled"] and len(e[0]["NetworkInterfaceIds"]) == 2
        api = cloud.client("apigateway", region=region).get_rest_apis()["items"]
        assert [a["endpointConfiguration"]["vpcEndpointIds"] for a in api] == [[e[0]["VpcEndpointId"]]]
    assert cloud.client("iam").get_account_password_policy()["PasswordPolicy"]["MinimumPasswordLength"] == 14
    changes = json.loads(re.search(r"\{.*\}", run("preview", "--json", "--expect-no-changes"), re.S).group(0))["changeSummary"]
    assert set(changes) == {"same"}
    run("destroy", "--yes", "--skip-preview")
    after = [r["resources"] for r in status(cloud)["regions"]]
    for r in before + after:
        r.get("kms", {}).pop("keys", None) # keys wait for their deletion, as on AWS
    assert [{k: v for k, v in r.items() if v} for r in after] == [{k: v for k, v in r.items() if v} for r in before]
