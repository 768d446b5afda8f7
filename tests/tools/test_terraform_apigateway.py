# SPDX-License-Identifier: Apache-2.0
"""Each type of API Gateway with the real Terraform and its provider: made, planned without change, changed, planned, gone."""
import shutil

import pytest

from tools_lib import ROOT, Missing, Terraform, binary, environment, make_cloud

FAST = ("-input=false", "-no-color", "-parallelism=30")


@pytest.fixture(scope="module")
def terraform(tmp_path_factory):
    try:
        return Terraform(ROOT / "tests" / "tools" / "apigateway", tmp_path_factory.mktemp("terraform"))
    except Missing as e:
        pytest.skip(str(e))


@pytest.fixture(scope="module")
def own(terraform):
    if not binary().exists():
        pytest.fail("%s is not built" % binary())
    cloud, d = make_cloud(regions="us-east-1")
    cloud.start()
    yield cloud
    code = cloud.stop()
    shutil.rmtree(d, ignore_errors=True)
    assert code == 0


def unchanged(terraform, env, *args):
    code, text = terraform.run("plan", *FAST, "-detailed-exitcode", *args, env=env, ok=(0, 2))
    assert code == 0, text[-6000:]


def test_made_changed_and_gone(terraform, own):
    env, gw = environment(own), own.client("apigateway")
    terraform.run("init", "-input=false", "-no-color", env=env)
    terraform.run("apply", "-auto-approve", *FAST, env=env)
    unchanged(terraform, env)
    apis = {a["name"]: a for a in gw.get_rest_apis()["items"]}
    assert set(apis) == {"private", "api", "body"} and apis["private"]["tags"] == {"a": "one"}
    stage = gw.get_stage(restApiId=apis["api"]["id"], stageName="prod")
    assert stage["methodSettings"]["*/*"]["metricsEnabled"] is True and stage["methodSettings"]["pets/{id}/GET"]["throttlingRateLimit"] == 6.0
    two = ("-var", "text=two")
    terraform.run("apply", "-auto-approve", *FAST, *two, env=env)
    unchanged(terraform, env, *two)
    assert gw.get_rest_api(restApiId=apis["private"]["id"])["description"] == "two"
    after = gw.get_stage(restApiId=apis["api"]["id"], stageName="prod")
    assert after["deploymentId"] != stage["deploymentId"] and after["variables"] == {"a": "two"} and after["methodSettings"]["*/*"]["metricsEnabled"] is False
    terraform.run("destroy", "-auto-approve", *FAST, *two, env=env)
    for left in (gw.get_rest_apis(), gw.get_usage_plans(), gw.get_api_keys(), gw.get_client_certificates()):
        assert left["items"] == []
