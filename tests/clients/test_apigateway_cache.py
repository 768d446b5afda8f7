# SPDX-License-Identifier: Apache-2.0
"""API Gateway: the response cache of stages, its keys, its time, and who may ask for a new answer."""
import itertools
import subprocess

import pytest
from botocore.exceptions import ClientError

from apigw import Api, Backend
from tests.conftest import binary


def patch(*ops):
    return [dict(zip(("op", "path", "value"), o)) for o in ops]


@pytest.fixture(scope="module")
def counter():
    n = itertools.count(1)
    b = Backend(lambda r: (500 if "fail" in r["path"] else 200, {"X-Count": "yes"}, "%s %d" % (r["path"], next(n))))
    yield b
    b.close()


def on(a, *more):
    a.gw.update_stage(restApiId=a.id, stageName="s", patchOperations=patch(("replace", "/cacheClusterEnabled", "true"), ("replace", "/cacheClusterSize", "0.5"), ("replace", "/*/*/caching/enabled", "true"), *more))


def test_keys_time_and_flush(cloud, counter):
    a = Api(cloud)
    key = "method.request.querystring.q"
    a.http("/one/{x}", counter.url + "/one", verb="ANY", requestParameters={key: False, "method.request.path.x": True}, integration={"cacheKeyParameters": [key, "method.request.path.x"]})
    m = a.http("/two", counter.url + "/two", kind="HTTP")
    a.gw.put_method_response(statusCode="200", **m)
    a.gw.put_integration_response(statusCode="200", responseTemplates={"text/plain": "$context.requestId $input.body"}, **m)
    a.http("/fail", counter.url + "/fail")
    a.deploy()
    get = lambda p, **kw: a.send(p, **kw).body
    assert get("/one/a?q=1") != get("/one/a?q=1")  # nothing is kept yet
    assert a.gw.get_stage(restApiId=a.id, stageName="s")["cacheClusterStatus"] == "NOT_AVAILABLE"
    with pytest.raises(ClientError, match="does not have a cache cluster"):
        a.gw.flush_stage_cache(restApiId=a.id, stageName="s")
    on(a, ("replace", "/~1one~1{x}/*/caching/ttlInSeconds", "60"), ("replace", "/~1one~1{x}/*/caching/enabled", "true"))
    st = a.gw.get_stage(restApiId=a.id, stageName="s")
    assert (st["cacheClusterEnabled"], st["cacheClusterSize"], st["cacheClusterStatus"]) == (True, "0.5", "AVAILABLE")
    first = a.send("/one/a?q=1")
    again = a.send("/one/a?q=1&other=2")
    assert first.body == again.body and again.headers["X-Count"] == "yes" and first.headers["x-amzn-RequestId"] != again.headers["x-amzn-RequestId"]
    assert len({get("/one/a?q=1"), get("/one/a?q=2"), get("/one/a"), get("/one/a?q="), get("/one/b?q=1"), get("/one/a?q=1")}) == 5
    assert get("/one/a?q=1", method="POST") != get("/one/a?q=1", method="POST")  # GET only, if it isn't said otherwise
    two = [get("/two").split(b" ", 1) for _ in range(2)]
    assert two[0][1] == two[1][1] and two[0][0] != two[1][0]  # the backend's answer is kept, not what is made of it
    assert a.send("/fail").body != a.send("/fail").body
    a.gw.flush_stage_cache(restApiId=a.id, stageName="s")
    new = get("/one/a?q=1")
    assert new != first.body and get("/one/a?q=1") == new
    subprocess.run([str(binary()), "clock", "--data", str(cloud.data), "+61s"], check=True, capture_output=True)
    assert get("/one/a?q=1") != new and get("/two").split(b" ", 1)[1] != two[0][1]
    kept = get("/one/a?q=1")
    a.deploy()
    assert get("/one/a?q=1") != kept  # another deployment is another thing
    a.gw.update_stage(restApiId=a.id, stageName="s", patchOperations=patch(("replace", "/cacheClusterEnabled", "false")))
    assert get("/one/a?q=1") != get("/one/a?q=1")


def test_who_may_ask_for_a_new_answer(cloud, counter):
    a, other = Api(cloud), Api(cloud)
    for x in (a, other):
        x.http("/i", counter.url + "/i", auth="AWS_IAM")
        x.http("/n", counter.url + "/n")
        x.deploy()
        on(x)
    invoke = {"Effect": "Allow", "Action": "execute-api:Invoke", "Resource": "*"}
    reader = cloud.user("reader", invoke)
    keeper = cloud.user("keeper", invoke, {"Effect": "Allow", "Action": "execute-api:InvalidateCache", "Resource": "arn:aws:execute-api:us-east-1:%s:%s/s/GET/i" % (cloud.account, a.id)})
    anew = {"Cache-Control": "max-age=0"}
    first = a.signed("/i", creds=reader).body
    assert other.signed("/i", creds=reader).body != first  # what one API's stage keeps is not another's
    r = a.signed("/i", creds=reader, headers=anew)
    assert r.body == first and r.headers["Warning"].startswith("199")
    r = a.signed("/i", creds=keeper, headers=anew)
    assert r.status == 200 and r.body != first and not r.headers["Warning"] and a.signed("/i", creds=reader).body == r.body
    assert other.signed("/i", creds=keeper, headers=anew).headers["Warning"]
    n = a.send("/n").body
    assert a.send("/n", headers=anew).body == n  # nobody who didn't sign
    strategy = lambda s: a.gw.update_stage(restApiId=a.id, stageName="s", patchOperations=patch(("replace", "/*/*/caching/unauthorizedCacheControlHeaderStrategy", s)))
    strategy("FAIL_WITH_403")
    assert a.signed("/i", creds=reader, headers=anew).status == 403 and a.signed("/i", creds=keeper, headers=anew).status == 200
    strategy("SUCCEED_WITHOUT_RESPONSE_HEADER")
    r = a.signed("/i", creds=reader, headers=anew)
    assert r.status == 200 and not r.headers["Warning"]
    a.gw.update_stage(restApiId=a.id, stageName="s", patchOperations=patch(("replace", "/*/*/caching/requireAuthorizationForCacheControl", "false")))
    assert a.send("/n", headers=anew).body != n
    for bad in (("replace", "/*/*/caching/ttlInSeconds", "3601"), ("replace", "/*/*/caching/unauthorizedCacheControlHeaderStrategy", "MAYBE"), ("replace", "/cacheClusterSize", "3")):
        with pytest.raises(ClientError):
            a.gw.update_stage(restApiId=a.id, stageName="s", patchOperations=patch(bad))
