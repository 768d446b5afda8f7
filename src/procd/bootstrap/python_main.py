# SPDX-License-Identifier: Apache-2.0
"""The Python side of the Lambda Runtime API: loads the handler, then takes one invocation after the other.

Of the library it loads at the start only what the interpreter has loaded or compiled in: json, logging, socket and traceback
take longer than all the rest of a start. They are loaded when they are needed, or not at all."""
import _socket
import os
import sys
import time

API = "/2018-06-01/runtime/"
HOST = os.environ["AWS_LAMBDA_RUNTIME_API"]
JSON_LOG = os.environ.get("AWS_LAMBDA_LOG_FORMAT") == "JSON"
LEVEL = os.environ.get("AWS_LAMBDA_LOG_LEVEL", "").upper()
FRAME_SEPARATOR = "\r"  # a line break inside of one event


class Connection:
    """One connection that is kept, and read with as little work as possible."""

    def __init__(self):
        host, port = HOST.split(":")
        self.sock = _socket.socket(_socket.AF_INET, _socket.SOCK_STREAM)
        self.sock.connect((host, int(port)))
        self.sock.setsockopt(_socket.IPPROTO_TCP, _socket.TCP_NODELAY, 1)
        self.buf = b""

    def more(self):
        piece = self.sock.recv(262144)
        if not piece:
            raise ConnectionError("the Runtime API closed the connection")
        return piece

    def read(self):
        while (end := self.buf.find(b"\r\n\r\n")) < 0:
            self.buf += self.more()
        headers = {}
        for line in self.buf[:end].decode("latin-1").split("\r\n")[1:]:
            name, _, value = line.partition(":")
            headers[name.lower()] = value.strip()
        length, parts = int(headers.get("content-length", 0)), [self.buf[end + 4:]]
        have = len(parts[0])
        while have < length:
            parts.append(self.more())
            have += len(parts[-1])
        rest = b"".join(parts)
        self.buf = rest[length:]
        return headers, rest[:length]

    def post(self, path, body, error_type=None, then_next=False):
        head = "POST %s%s HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r\n" % (API, path, HOST)
        if error_type:
            head += "Lambda-Runtime-Function-Error-Type: %s\r\n" % error_type.encode("ascii", "replace").decode()
        head += "Content-Length: %d\r\n\r\n" % len(body)
        self.sock.sendall(head.encode("latin-1") + body + (NEXT if then_next else b""))


NEXT = ("GET %sinvocation/next HTTP/1.1\r\nHost: %s\r\n\r\n" % (API, HOST)).encode()


# --- JSON, as the module json reads and writes it, by the part of it that is compiled in ---
class Settings:
    """What json's decoder tells its scanner."""
    strict, object_hook, object_pairs_hook, parse_float, parse_int, memo = True, None, None, float, int, {}
    parse_constant = {"-Infinity": -float("inf"), "Infinity": float("inf"), "NaN": float("nan")}.__getitem__


def not_serializable(value):
    raise TypeError("Object of type %s is not JSON serializable" % value.__class__.__name__)


try:
    import _json
    scan = _json.make_scanner(Settings)
    _json.make_encoder({}, not_serializable, _json.encode_basestring, None, ": ", ", ", False, False, True)
except (ImportError, AttributeError, TypeError):  # another Python's are made differently
    _json = scan = None


def from_json(body):
    """What json.loads gives; what is not plain is left to it, and so are the errors."""
    try:
        text = body.decode().strip(" \t\n\r")
        value, end = scan(text, 0)
        if end == len(text):
            return value
    except (TypeError, ValueError, StopIteration, RecursionError):
        pass
    import json
    return json.loads(body)


def to_json(value):
    if _json and isinstance(value, str):
        text = _json.encode_basestring(value)
    elif _json:
        encode = _json.make_encoder({}, not_serializable, _json.encode_basestring, None, ": ", ", ", False, False, True)
        text = "".join(encode(value, 0))
    else:
        import json
        text = json.dumps(value, ensure_ascii=False)
    return text.encode("utf-8", "surrogatepass")


# --- logs ---
class State:
    request_id = None


def set_up_logs(logging):
    """Gives the root logger its handler."""

    class Handler(logging.Handler):
        def emit(self, record):
            try:
                text = self.format(record)
                if not JSON_LOG:
                    text = text.rstrip("\n").replace("\r\n", "\n").replace("\n", FRAME_SEPARATOR)
                sys.stdout.write(text + "\n")
            except Exception:  # what a handler of logs must not do is fail the function
                self.handleError(record)

    class RequestFilter(logging.Filter):
        def filter(self, record):
            record.aws_request_id = State.request_id or ""
            return True

    class TextFormatter(logging.Formatter):
        converter = time.gmtime

        def __init__(self):
            super().__init__("[%(levelname)s]\t%(asctime)s.%(msecs)03dZ\t%(aws_request_id)s\t%(message)s\n", "%Y-%m-%dT%H:%M:%S")

    class JsonFormatter(logging.Formatter):
        STANDARD = set(vars(logging.makeLogRecord({}))) | {"message", "asctime", "aws_request_id", "taskName"}

        def format(self, record):
            import json
            import traceback
            out = {"timestamp": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(record.created)), "level": record.levelname,
                   "message": record.getMessage(), "logger": record.name}
            if record.exc_info and record.exc_info[0]:
                out["stackTrace"] = traceback.format_exception(*record.exc_info)
                out["errorType"], out["errorMessage"] = record.exc_info[0].__name__, str(record.exc_info[1])
                out["location"] = "%s:%s:%d" % (record.pathname, record.funcName, record.lineno)
            out["requestId"] = record.aws_request_id
            out.update({k: v for k, v in vars(record).items() if k not in self.STANDARD})
            return json.dumps(out, default=str)

    handler = Handler()
    handler.setFormatter(JsonFormatter() if JSON_LOG else TextFormatter())
    handler.addFilter(RequestFilter())
    root = logging.getLogger()
    root.addHandler(handler)
    if JSON_LOG:
        root.setLevel({"TRACE": "DEBUG", "FATAL": "CRITICAL"}.get(LEVEL, LEVEL) if LEVEL else "INFO")


class WhenLoggingIsLoaded:
    """An import hook: who loads the module logging finds it set up."""

    def find_spec(self, name, path, target=None):
        if name != "logging":
            return None
        sys.meta_path.remove(self)
        for finder in sys.meta_path:
            spec = finder.find_spec(name, path, target)
            if spec:
                break
        else:
            return None
        load = spec.loader.exec_module

        def exec_module(module):
            load(module)
            set_up_logs(module)

        spec.loader.exec_module = exec_module
        return spec


def prepare_logs():
    sys.stdout.reconfigure(line_buffering=True, write_through=True)
    if "logging" in sys.modules:
        set_up_logs(sys.modules["logging"])
    else:
        sys.meta_path.insert(0, WhenLoggingIsLoaded())


# --- errors ---
def make_error(error_type, message, stack=None):
    return {"errorMessage": message, "errorType": error_type, "requestId": State.request_id or "", "stackTrace": stack or []}


def from_exception(exc):
    import traceback
    frames = traceback.extract_tb(exc.__traceback__)
    own = [f for f in frames if f.filename != __file__ and not f.filename.startswith("<frozen importlib")]
    return make_error(type(exc).__name__, str(exc), traceback.format_list(own))


def log_error(err):
    if JSON_LOG:
        import json
        print(json.dumps({"timestamp": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), "log_level": "ERROR", **err}))
        return
    text = "[ERROR] %s: %s" % (err["errorType"], err["errorMessage"]) if err.get("errorType") else "[ERROR] " + err["errorMessage"]
    if err["stackTrace"]:
        text += "\nTraceback (most recent call last):\n" + "".join(err["stackTrace"]).rstrip("\n")
    print(text.replace("\n", FRAME_SEPARATOR))


class StartError(Exception):
    def __init__(self, err):
        super().__init__(err["errorMessage"])
        self.err = err


# --- the handler ---
def load_handler():
    name = os.environ.get("_HANDLER", "")
    module_name, dot, function = name.rpartition(".")
    if not dot or not module_name:
        raise StartError(make_error("Runtime.MalformedHandlerName", "Bad handler '%s': not enough values to unpack (expected 2, got 1)" % name))
    module_name = module_name.replace("/", ".")
    try:
        if module_name.split(".")[0] in sys.builtin_module_names:
            raise StartError(make_error("Runtime.BuiltInModuleConflict", "Cannot use built-in module %s as a handler module" % module_name))
        __import__(module_name)
        module = sys.modules[module_name]
    except ImportError as e:
        raise StartError(make_error("Runtime.ImportModuleError", "Unable to import module '%s': %s" % (module_name, e)))
    except SyntaxError as e:
        trace = ['  File "%s" Line %s\n    %s\n' % (e.filename, e.lineno, (e.text or "").rstrip("\n"))]
        raise StartError(make_error("Runtime.UserCodeSyntaxError", "Syntax error in module '%s': %s" % (module_name, e), trace))
    if not hasattr(module, function):
        raise StartError(make_error("Runtime.HandlerNotFound", "Handler '%s' missing on module '%s'" % (function, module_name)))
    return getattr(module, function)


class Identity:
    def __init__(self, j):
        self.cognito_identity_id = (j or {}).get("cognitoIdentityId")
        self.cognito_identity_pool_id = (j or {}).get("cognitoIdentityPoolId")


class Client:
    def __init__(self, j):
        for name in ("installation_id", "app_title", "app_version_name", "app_version_code", "app_package_name"):
            setattr(self, name, j.get(name))


class ClientContext:
    def __init__(self, j):
        self.custom = j.get("custom")
        self.env = j.get("env")
        self.client = Client(j["client"]) if j.get("client") else None


class Context:
    def __init__(self, headers):
        self.aws_request_id = headers["lambda-runtime-aws-request-id"]
        self.invoked_function_arn = headers.get("lambda-runtime-invoked-function-arn")
        self.log_group_name = os.environ.get("AWS_LAMBDA_LOG_GROUP_NAME")
        self.log_stream_name = os.environ.get("AWS_LAMBDA_LOG_STREAM_NAME")
        self.function_name = os.environ.get("AWS_LAMBDA_FUNCTION_NAME")
        self.memory_limit_in_mb = os.environ.get("AWS_LAMBDA_FUNCTION_MEMORY_SIZE")
        self.function_version = os.environ.get("AWS_LAMBDA_FUNCTION_VERSION")
        client = headers.get("lambda-runtime-client-context")
        self.client_context = ClientContext(from_json(client.encode("latin-1"))) if client else None
        identity = headers.get("lambda-runtime-cognito-identity")
        self.identity = Identity(from_json(identity.encode("latin-1")) if identity else None)
        self._deadline = int(headers["lambda-runtime-deadline-ms"])

    def get_remaining_time_in_millis(self):
        return max(self._deadline - int(time.time() * 1000), 0)

    def log(self, msg):
        sys.stdout.write(str(msg))


def invoke(handler, headers, body):
    """The answer's bytes and None, or an error's JSON and its type."""
    try:
        event = from_json(body)
    except (ValueError, RecursionError) as e:
        err = make_error("Runtime.UnmarshalError", "Unable to unmarshal input: %s" % e)
        return to_json(err), err["errorType"]
    try:
        value = handler(event, Context(headers))
    except Exception as e:
        err = from_exception(e)
        log_error(err)
        return to_json(err), err["errorType"]
    try:
        return to_json(value), None
    except (TypeError, ValueError, OverflowError, RecursionError) as e:
        err = make_error("Runtime.MarshalError", "Unable to marshal response: %s" % e)
        log_error(err)
        return to_json(err), err["errorType"]


def main():
    conn = Connection()
    sys.path.insert(0, os.environ["LAMBDA_TASK_ROOT"])
    sys.path = [p for p in sys.path if p != os.path.dirname(__file__)]
    prepare_logs()
    try:
        handler = load_handler()
    except StartError as e:
        log_error(e.err)
        conn.post("init/error", to_json(e.err), e.err["errorType"])
        conn.read()
        sys.exit(1)
    except Exception as e:
        err = from_exception(e)
        log_error(err)
        conn.post("init/error", to_json(err), err["errorType"])
        conn.read()
        sys.exit(1)
    conn.sock.sendall(NEXT)
    while True:
        headers, body = conn.read()
        State.request_id = headers["lambda-runtime-aws-request-id"]
        if "lambda-runtime-trace-id" in headers:
            os.environ["_X_AMZN_TRACE_ID"] = headers["lambda-runtime-trace-id"]
        else:
            os.environ.pop("_X_AMZN_TRACE_ID", None)
        answer, error_type = invoke(handler, headers, body)
        sys.stdout.flush()
        path = "invocation/%s/%s" % (State.request_id, "error" if error_type else "response")
        conn.post(path, answer, error_type, then_next=True)
        conn.read()

