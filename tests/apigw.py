# SPDX-License-Identifier: Apache-2.0
"""What tests of API Gateway's data plane share: APIs made in one call, plain requests to them, a backend that says what it got."""
import http.client
import http.server
import json
import ssl
import threading


class Answer:
    def __init__(self, r):
        self.status, self.headers, self.body = r.status, r.headers, r.read()

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def message(self):
        j = self.json
        return j.get("message", j.get("Message"))

    def __repr__(self):
        return "%d %r %r" % (self.status, dict(self.headers), self.body)


def send(cloud, host, path, method="GET", body=None, headers=(), tls=False):
    """One request as it stands: nothing of the path is touched, headers may repeat."""
    if tls:
        c = http.client.HTTPSConnection("localhost", cloud.port, timeout=40, context=ssl.create_default_context(cafile=cloud.ca))
    else:
        c = http.client.HTTPConnection("127.0.0.1", cloud.port, timeout=40)
    try:
        c.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
        c.putheader("Host", host)
        for k, v in headers.items() if isinstance(headers, dict) else headers:
            c.putheader(k, v)
        if body is not None:
            body = body if isinstance(body, bytes) else body.encode()
            c.putheader("Content-Length", str(len(body)))
        c.endheaders(body)
        return Answer(c.getresponse())
    finally:
        c.close()


class Api:
    """A REST API under construction: resources by path, methods, then deploy()."""

    def __init__(self, cloud, name="t", region="us-east-1", **kw):
        self.cloud, self.region, self.gw = cloud, region, cloud.client("apigateway", region=region)
        r = self.gw.create_rest_api(name=name, **kw)
        self.id, self.resources = r["id"], {"/": r["rootResourceId"]}

    def resource(self, path):
        if path not in self.resources:
            parent, _, part = path.rpartition("/")
            self.resources[path] = self.gw.create_resource(restApiId=self.id, parentId=self.resource(parent or "/"), pathPart=part)["id"]
        return self.resources[path]

    def method(self, path, verb="GET", auth="NONE", **kw):
        self.gw.put_method(restApiId=self.id, resourceId=self.resource(path), httpMethod=verb, authorizationType=auth, **kw)
        return dict(restApiId=self.id, resourceId=self.resource(path), httpMethod=verb)

    def mock(self, path, verb="GET", request='{"statusCode": 200}', response='{"ok": true}', status="200", headers=None, auth="NONE", integration=None, **kw):
        m = self.method(path, verb, auth, **kw)
        headers = headers or {}
        self.gw.put_method_response(statusCode=status, responseParameters={k: False for k in headers}, **m)
        self.gw.put_integration(type="MOCK", requestTemplates={"application/json": request}, **(integration or {}), **m)
        self.gw.put_integration_response(statusCode=status, responseParameters=headers, **({"responseTemplates": {"application/json": response}} if response is not None else {}), **m)
        return m

    def http(self, path, uri, verb="GET", kind="HTTP_PROXY", auth="NONE", integration=None, **kw):
        m = self.method(path, verb, auth, **kw)
        self.gw.put_integration(type=kind, integrationHttpMethod=verb, uri=uri, **(integration or {}), **m)
        return m

    def function(self, path, arn, verb="GET", kind="AWS_PROXY", auth="NONE", integration=None, **kw):
        m = self.method(path, verb, auth, **kw)
        self.gw.put_integration(type=kind, integrationHttpMethod="POST", uri=self.uri(arn), **(integration or {}), **m)
        return m

    def uri(self, arn):
        return "arn:aws:apigateway:%s:lambda:path/2015-03-31/functions/%s/invocations" % (self.region, arn)

    def deploy(self, stage="s", **kw):
        return self.gw.create_deployment(restApiId=self.id, stageName=stage, **kw)["id"]

    @property
    def host(self):
        return "%s.execute-api.%s.amazonaws.com" % (self.id, self.region)

    def send(self, path, method="GET", body=None, headers=(), host=None, tls=False, stage="/s"):
        return send(self.cloud, host or self.host, stage + path, method, body, headers, tls)

    def signed(self, path, method="GET", body=None, creds=None, region=None, service="execute-api", headers=None, change=None, stage="/s", host=None):
        """Signed for execute-api, over TLS. change(request) may spoil it after signing."""
        from botocore.auth import SigV4Auth
        from botocore.awsrequest import AWSRequest
        from botocore.credentials import Credentials
        creds = creds or {"AccessKeyId": self.cloud.key, "SecretAccessKey": self.cloud.secret}
        host = host or self.host
        r = AWSRequest(method, "https://%s%s%s" % (host, stage, path), data=body, headers=dict(headers or {}, Host=host))
        SigV4Auth(Credentials(creds["AccessKeyId"], creds["SecretAccessKey"], creds.get("SessionToken")), service, region or self.region).add_auth(r)
        if change:
            change(r)
        h = [(k, v) for k, v in r.headers.items() if k.lower() != "host"]
        return send(self.cloud, host, stage + path, method, body, h, tls=True)


class Backend:
    """An HTTP server on a port of the kernel's choice; handler(request) -> (status, headers, body). Default: says what came."""

    def __init__(self, handler=None):
        outer = self
        self.seen = []

        class H(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def work(self):
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                r = {"method": self.command, "path": self.path, "headers": self.headers.items(), "body": body.decode("latin-1")}
                outer.seen.append(r)
                status, headers, out = handler(r) if handler else (200, {"Content-Type": "application/json"}, json.dumps(r))
                out = out.encode() if isinstance(out, str) else out
                self.send_response(status)
                for k, v in headers.items():
                    self.send_header(k, v)
                if "Transfer-Encoding" not in headers:
                    self.send_header("Content-Length", str(len(out)))
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(out)

            do_GET = do_POST = do_PUT = do_DELETE = do_HEAD = do_PATCH = do_OPTIONS = work

            def log_message(self, *a):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), H)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def url(self):
        return "http://127.0.0.1:%d" % self.port

    def close(self):
        self.server.shutdown()
        self.server.server_close()
