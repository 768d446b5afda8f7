# SPDX-License-Identifier: Apache-2.0
"""Random but meaningful authorization cases, the same for the same seed: values are taken from what the request has,
and bent, so that statements match about as often as not."""
import json
import random
import sys

A, B = "111111111111", "222222222222"
ACTIONS = [
    # action, resource, is the resource's policy required
    ("s3:GetObject", "arn:aws:s3:::bucket/alice/report.txt", False),
    ("s3:PutObject", "arn:aws:s3:::bucket/alice/a+b(1)/x.y", False),
    ("s3:ListBucket", "arn:aws:s3:::bucket", False),
    ("sqs:SendMessage", "arn:aws:sqs:eu-west-1:{acct}:orders", False),
    ("dynamodb:GetItem", "arn:aws:dynamodb:eu-west-1:{acct}:table/Music/index/byArtist", False),
    ("lambda:InvokeFunction", "arn:aws:lambda:eu-west-1:{acct}:function:resize:prod", False),
    ("ec2:DescribeInstances", "*", False),
    ("kms:Decrypt", "arn:aws:kms:eu-west-1:{acct}:key/1234abcd", True),
    ("sts:AssumeRole", "arn:aws:iam::{acct}:role/team/Admin", True),
]
PRINCIPALS = [
    {"type": "user", "account": A, "arn": f"arn:aws:iam::{A}:user/alice", "unique_id": "AIDAALICEALICEALICE1", "canonical_id": "c" * 64},
    {"type": "user", "account": A, "arn": f"arn:aws:iam::{A}:user/alice", "unique_id": "AIDAALICEALICEALICE1", "canonical_id": "c" * 64},
    {"type": "role_session", "account": A, "arn": f"arn:aws:sts::{A}:assumed-role/App/s1", "role_arn": f"arn:aws:iam::{A}:role/team/App",
     "unique_id": "AROAAPPAPPAPPAPPAPP1:s1", "canonical_id": "c" * 64},
    {"type": "role_session", "account": A, "arn": f"arn:aws:sts::{A}:assumed-role/App/s1", "role_arn": f"arn:aws:iam::{A}:role/team/App",
     "unique_id": "AROAAPPAPPAPPAPPAPP1:s1", "canonical_id": "c" * 64},
    {"type": "federated", "account": A, "arn": f"arn:aws:sts::{A}:federated-user/alice", "role_arn": f"arn:aws:iam::{A}:user/alice",
     "unique_id": f"{A}:alice"},
    {"type": "root", "account": A, "arn": f"arn:aws:iam::{A}:root", "unique_id": A},
    {"type": "service", "service": "sns.amazonaws.com"},
    {"type": "federated", "arn": "cognito-identity.amazonaws.com"},
    {"type": "anonymous"},
]
SPECIAL_VARIABLES = ["${*}", "${?}", "${$}"]
NUMERIC = ["NumericEquals", "NumericNotEquals", "NumericLessThan", "NumericLessThanEquals", "NumericGreaterThan", "NumericGreaterThanEquals"]
DATE = [n.replace("Numeric", "Date") for n in NUMERIC]
STRING = ["StringEquals", "StringNotEquals", "StringEqualsIgnoreCase", "StringNotEqualsIgnoreCase", "StringLike", "StringNotLike"]
ARN = ["ArnEquals", "ArnNotEquals", "ArnLike", "ArnNotLike"]
IP = ["IpAddress", "NotIpAddress"]


class Generator:
    def __init__(self, seed):
        self.r = random.Random(seed)

    def chance(self, p):
        return self.r.random() < p

    def one_or_list(self, make, p_list=0.4):
        if not self.chance(p_list):
            return make()
        return [make() for _ in range(self.r.randint(1, 3))]

    # --- the request ---
    def context(self, principal):
        r, keys = self.r, {}
        if principal["type"] == "user":
            keys["aws:username"] = "alice"
        if "unique_id" in principal:
            keys["aws:userid"] = principal["unique_id"]
        if "account" in principal:
            keys["aws:PrincipalAccount"] = principal["account"]
            keys["aws:PrincipalArn"] = principal.get("role_arn", principal["arn"])
        optional = {
            "aws:PrincipalTag/team": lambda: r.choice(["blue", "Blue", "red"]),
            "aws:SourceIp": lambda: r.choice(["10.1.2.3", "192.0.2.7", "2001:db8::7", "::ffff:10.1.2.3", "nowhere"]),
            "aws:SecureTransport": lambda: r.choice(["true", "false", "TRUE"]),
            "aws:CurrentTime": lambda: r.choice(["2026-03-01T12:00:00Z", "2026-03-01T12:00:01Z", "2025-12-31T23:59:59Z"]),
            "aws:EpochTime": lambda: r.choice(["1772366400", "1700000000"]),
            "aws:MultiFactorAuthAge": lambda: r.choice(["10", "3600", "12.5", "12abc", "-1"]),
            "aws:TagKeys": lambda: r.sample(["env", "team", "Owner", "cost"], r.randint(0, 3)),
            "aws:RequestTag/env": lambda: r.choice(["prod", "dev"]),
            "s3:prefix": lambda: r.choice(["alice/", "bob/", "a*b", "alice/x?y"]),
            "aws:SourceArn": lambda: r.choice([f"arn:aws:sns:eu-west-1:{A}:topic", "arn:aws:s3:::source", "not-an-arn"]),
            "app:blob": lambda: r.choice(["aGVsbG8=", "d29ybGQ="]),
            "aws:CalledVia": lambda: r.choice([["athena.amazonaws.com", "glue.amazonaws.com"], ["cloudformation.amazonaws.com"]]),
        }
        for name, make in optional.items():
            if self.chance(0.6):
                keys[name if self.chance(0.9) else name.lower()] = make()
        return keys

    # --- elements ---
    def action(self, case):
        service, name = case["action"].split(":")
        return self.r.choice([
            case["action"], case["action"], case["action"].lower(), f"{service}:*", f"{service}:{name[:3]}*", f"{service}:*{name[-4:]}",
            f"{service}:?{name[1:]}", "*", f"{service}:Other", "iam:*", f"{service.upper()}:{name}", "*:*",
        ])

    def variable(self, case):
        pool = ["aws:username", "aws:PrincipalTag/team", "aws:userid", "AWS:UserName", "aws:TagKeys", "aws:Missing", "aws:PrincipalAccount"]
        name = self.r.choice(pool)
        return "${" + name + (", 'alice'" if self.chance(0.3) else "") + "}"

    def bend(self, text, case, wildcards=True):
        """text itself, or something that looks like it."""
        r, n = self.r, len(text)
        cut = r.randint(0, n)
        choices = [text, text, text, text + "x", text[:cut] + self.variable(case) + text[cut:], text.replace("alice", "${aws:username}"),
                   text.replace("*", "${*}").replace("?", "${?}"), text.upper(), "other"]
        if wildcards:
            choices += [text[:cut] + "*", "*" + text[cut:], text[:cut] + "*" + text[min(n, cut + 2):], text[:cut] + "?" + text[cut + 1:], "*",
                        text.replace("alice", "*"), text[:cut] + self.r.choice(SPECIAL_VARIABLES) + text[cut:]]
        return r.choice(choices)

    def bend_arn(self, arn, case, resource=True):
        """Bends one segment of an ARN; the first segments of a resource stay sound, as IAM wants them."""
        r = self.r
        if arn == "*" or arn.count(":") < 5:
            return r.choice(["*", "*", "arn:aws:s3:::bucket/*"])
        seg = arn.split(":", 5)
        pick = r.random()
        if pick < 0.25:
            return arn
        if pick < 0.35 and resource:
            return "*"
        if pick < 0.45:
            seg[3] = seg[3] and r.choice(["*", "eu-*", "us-east-1", "eu-west-?"])
        elif pick < 0.55:
            seg[4] = seg[4] and r.choice(["*", A, B, "1111*", "${aws:PrincipalAccount}"])
        elif pick < 0.6 and resource:
            return ":".join(seg[:r.choice([3, 4, 5])]) if seg[4] else f"arn:aws:{seg[2]}:*"
        else:
            seg[5] = self.bend(seg[5], case)
            if seg[2] == "iam" and not seg[5].startswith(("role/", "*")):
                seg[5] = "role/" + seg[5]
        return ":".join(seg)

    def condition_value(self, kind, key, case):
        r = self.r
        have = case["keys"].get(key)
        text = r.choice(have) if isinstance(have, list) and have else have if isinstance(have, str) else "alice"
        if kind == "string":
            return self.bend(text, case)
        if kind == "arn":
            return self.bend_arn(text, case, resource=False)
        if kind == "numeric":
            return r.choice(["10", "3600", "12.5", "0", "100", "12abc", "x", text])
        if kind == "date":
            return r.choice(["2026-03-01T12:00:00Z", "2026-03-01", "2026-03-01T13:00:00+01:00", "2025-12-31T23:59:59Z", "2026", "1772366400"])
        if kind == "ip":
            return r.choice(["10.0.0.0/8", "10.1.2.3", "10.1.2.3/32", "192.0.2.0/29", "0.0.0.0/0", "2001:db8::/32", "2001:db8::7", "::/0", "10.1.0.0/33", "bad"])
        if kind == "bool":
            return r.choice(["true", "false", "True", "maybe"])
        if kind == "binary":
            return r.choice(["aGVsbG8=", "d29ybGQ=", text])
        raise ValueError(kind)

    def condition(self, case):
        r = self.r
        kind, key = r.choice([
            ("string", "aws:username"), ("string", "aws:PrincipalTag/team"), ("string", "s3:prefix"), ("string", "aws:RequestTag/env"),
            ("string", "aws:TagKeys"), ("string", "aws:TagKeys"), ("string", "aws:CalledVia"), ("string", "aws:userid"), ("string", "aws:Missing"),
            ("arn", "aws:SourceArn"), ("arn", "aws:PrincipalArn"), ("numeric", "aws:MultiFactorAuthAge"), ("date", "aws:CurrentTime"),
            ("date", "aws:EpochTime"), ("ip", "aws:SourceIp"), ("bool", "aws:SecureTransport"), ("binary", "app:blob"), ("null", None),
        ])
        if kind == "null":
            key = r.choice(["aws:username", "aws:TagKeys", "aws:MultiFactorAuthAge", "aws:Missing"])
            return "Null", key, self.one_or_list(lambda: r.choice(["true", "false", "True"]), 0.1)
        op = r.choice({"string": STRING, "arn": ARN, "numeric": NUMERIC, "date": DATE, "ip": IP, "bool": ["Bool"], "binary": ["BinaryEquals"]}[kind])
        value = self.one_or_list(lambda: self.condition_value(kind, key, case))
        if key in ("aws:TagKeys", "aws:CalledVia") and self.chance(0.85) or self.chance(0.08):
            op = r.choice(["ForAllValues:", "ForAnyValue:"]) + op
        if self.chance(0.15):
            op += "IfExists"
        return op, key if self.chance(0.8) else key.upper(), value

    def conditions(self, case):
        c = {}
        for _ in range(self.r.choice([0, 0, 0, 1, 1, 2])):
            op, key, value = self.condition(case)
            c.setdefault(op, {})[key] = value
        return c

    def principal_entry(self, case):
        r, p = self.r, case["principal"]
        pool = ["*", A, f"arn:aws:iam::{A}:root", B, f"arn:aws:iam::{A}:user/alice", f"arn:aws:iam::{A}:role/team/App",
                f"arn:aws:sts::{A}:assumed-role/App/s1", f"arn:aws:sts::{A}:assumed-role/App/s2", f"arn:aws:iam::{B}:role/team/App",
                "AIDAALICEALICEALICE1", "AROAAPPAPPAPPAPPAPP1", f"arn:aws:sts::{A}:federated-user/alice"]
        own = [p[k] for k in ("arn", "role_arn", "account") if k in p and p["type"] in ("user", "role_session", "root")]
        return r.choice(own) if own and self.chance(0.5) else r.choice(pool)

    def principal(self, case):
        pick = self.r.random()
        if pick < 0.12:
            return "*"
        p = {"AWS": self.one_or_list(lambda: self.principal_entry(case))}
        if pick > 0.85 or case["principal"]["type"] == "service" and self.chance(0.6):
            p = {"Service": self.one_or_list(lambda: self.r.choice(["sns.amazonaws.com", "sqs.amazonaws.com"]))}
        elif case["principal"]["type"] == "federated" and self.chance(0.5) or pick > 0.82:
            p = {"Federated": self.r.choice(["cognito-identity.amazonaws.com", "accounts.google.com"])}
        elif pick > 0.78:
            p["CanonicalUser"] = self.r.choice(["c", "d"]) * 64
        return p

    def statement(self, case, layer):
        r, s = self.r, {"Effect": "Deny" if self.chance(0.22) else "Allow"}
        trust = layer == "trust"
        if layer in ("resource", "trust"):
            if s["Effect"] == "Deny" and not trust and self.chance(0.25):
                s["NotPrincipal"] = {"AWS": [self.principal_entry(case) for _ in range(r.randint(1, 4))]}
            else:
                s["Principal"] = self.principal(case)
        if trust:
            s["Action"] = r.choice(["sts:AssumeRole", ["sts:AssumeRole", "sts:TagSession"], "sts:assumerole", "sts:AssumeRoleWithSAML"])
        else:
            s["NotAction" if self.chance(0.12) else "Action"] = self.one_or_list(lambda: self.action(case))
            s["NotResource" if self.chance(0.12) else "Resource"] = self.one_or_list(lambda: self.bend_arn(case["resource"], case))
        if layer == "rcp":
            s["Effect"], s["Principal"] = "Deny", "*"
            s.pop("NotAction", None)
            s["Action"] = r.choice([case["action"], case["action"].split(":")[0] + ":*", "iam:*"])
            s["Resource"] = "*"
            s.pop("NotResource", None)
        c = self.conditions(case)
        if c:
            s["Condition"] = c
        return s

    def policy(self, case, layer):
        version = "2008-10-17" if layer in ("resource", "trust") and self.chance(0.1) else "2012-10-17"
        statements = [self.statement(case, layer) for _ in range(self.r.choice([1, 1, 2, 3]))]
        return {"Version": version, "Statement": statements if len(statements) > 1 or self.chance(0.7) else statements[0]}

    def scp(self, case):
        full = {"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}}
        levels = []
        for _ in range(self.r.randint(1, 3)):
            level = [full] if self.chance(0.8) else []
            if not level or self.chance(0.3):
                p = self.policy(case, "scp")
                for s in p["Statement"] if isinstance(p["Statement"], list) else [p["Statement"]]:
                    for k in ("Resource", "NotResource"):
                        if k in s:
                            s[k] = [x if x == "*" or x.count(":") >= 5 else x + ":*" for x in ([s[k]] if isinstance(s[k], str) else s[k])]
                level.append(p)
            levels.append(level)
        return levels

    def case(self):
        r = self.r
        action, resource, required = r.choice(ACTIONS)
        principal = r.choice(PRINCIPALS)
        owner = B if self.chance(0.3) else A
        case = {"action": action, "resource": resource.format(acct=owner), "resource_account": owner, "principal": principal}
        if required:
            case["rule"] = "required"
        case["keys"] = self.context(principal)
        trust = action.startswith("sts:")
        if trust:
            case["resource_kind"] = "trust"
        if trust or required and self.chance(0.95) or self.chance(0.55):
            case["resource_policy"] = self.policy(case, "trust" if trust else "resource")
        if principal["type"] in ("user", "role_session") or principal["type"] == "federated" and "account" in principal:
            case["identity"] = [self.policy(case, "identity") for _ in range(r.choice([0, 1, 1, 2]))]
            if self.chance(0.25) and principal["type"] != "federated":
                case["boundary"] = [self.policy(case, "identity")]
            if self.chance(0.3) and principal["type"] != "user":
                case["session"] = [self.policy(case, "identity")]
        if self.chance(0.25) and principal["type"] != "anonymous":
            case["scp"] = self.scp(case)
        if self.chance(0.1):
            case["rcp"] = [self.policy(case, "rcp")]
        return case


def main():
    g = Generator(int(sys.argv[1]))
    for _ in range(int(sys.argv[2])):
        print(json.dumps(g.case()))


if __name__ == "__main__":
    main()
