# SPDX-License-Identifier: Apache-2.0
"""Virtual MFA devices: codes of RFC 6238 on the cloud's clock, and what a call with one may do."""
import base64
import csv
import hashlib
import hmac
import json
import subprocess
import threading
import time

import pytest
from botocore.exceptions import ClientError
from tests.conftest import binary

from refusals import refused

offset = 0  # of the cloud's clock, in seconds


def code(seed, steps=0):
    counter = (int(time.time()) + offset) // 30 + steps
    mac = hmac.new(base64.b32decode(seed), counter.to_bytes(8, "big"), hashlib.sha1).digest()
    at = mac[19] & 15
    return "%06d" % ((int.from_bytes(mac[at:at + 4], "big") & 0x7FFFFFFF) % 1000000)


def wrong(right):
    return "%06d" % ((int(right) + 1) % 1000000)


def later(cloud, seconds=120):
    """Codes are new again, and guesses forgotten."""
    global offset
    subprocess.run([str(binary()), "clock", "--data", str(cloud.data), "+%ds" % seconds], check=True, capture_output=True)
    offset += seconds


@pytest.fixture(scope="module")
def iam(cloud):
    global offset
    offset = 0
    return cloud.client("iam")


class Device:
    def __init__(self, cloud, iam, name):
        self.cloud, self.iam = cloud, iam
        self.user = cloud.user(name, {"Effect": "Allow", "Action": "*", "Resource": "*", "Condition": {"Bool": {"aws:MultiFactorAuthPresent": "true"}}})
        d = iam.create_virtual_mfa_device(VirtualMFADeviceName=name)["VirtualMFADevice"]
        self.serial, self.seed = d["SerialNumber"], d["Base32StringSeed"]
        later(cloud)
        iam.enable_mfa_device(UserName=name, SerialNumber=self.serial, AuthenticationCode1=code(self.seed, -2), AuthenticationCode2=code(self.seed, -1))
        self.sts = cloud.client("sts", key=self.user)

    def session(self, which=None, **kw):
        return self.sts.get_session_token(SerialNumber=self.serial, TokenCode=which or code(self.seed), **kw)["Credentials"]


@pytest.fixture(scope="module")
def device(cloud, iam):
    return Device(cloud, iam, "mia")


def test_device_life(cloud, iam):
    iam.create_user(UserName="dan")
    d = iam.create_virtual_mfa_device(VirtualMFADeviceName="dan", Path="/d/", Tags=[{"Key": "a", "Value": "b"}])["VirtualMFADevice"]
    serial, seed = d["SerialNumber"], d["Base32StringSeed"]
    assert serial == "arn:aws:iam::%s:mfa/d/dan" % cloud.account and len(base64.b32decode(seed)) == 40
    assert iam.list_mfa_device_tags(SerialNumber=serial)["Tags"] == [{"Key": "a", "Value": "b"}]
    refused("EntityAlreadyExists", iam.create_virtual_mfa_device, VirtualMFADeviceName="dan", Path="/d/")
    find = lambda **kw: [x for x in iam.list_virtual_mfa_devices(**kw)["VirtualMFADevices"] if x["SerialNumber"] == serial]  # noqa: E731
    assert find(AssignmentStatus="Unassigned") == [{"SerialNumber": serial}] and not find(AssignmentStatus="Assigned")  # the seed left once
    two = dict(UserName="dan", SerialNumber=serial)
    for a, b in ((code(seed), code(seed)), (code(seed), wrong(code(seed, 1))), (code(seed, -40), code(seed, -39))):
        refused("InvalidAuthenticationCode", iam.enable_mfa_device, AuthenticationCode1=a, AuthenticationCode2=b, **two)
    iam.enable_mfa_device(AuthenticationCode1=code(seed), AuthenticationCode2=code(seed, 1), **two)
    refused("EntityAlreadyExists", iam.enable_mfa_device, AuthenticationCode1=code(seed, 1), AuthenticationCode2=code(seed, 2), **two)
    assert [(m["UserName"], m["SerialNumber"]) for m in iam.list_mfa_devices(UserName="dan")["MFADevices"]] == [("dan", serial)]
    assert find(AssignmentStatus="Assigned")[0]["User"]["UserName"] == "dan"
    refused("DeleteConflict", iam.delete_virtual_mfa_device, SerialNumber=serial)
    refused("DeleteConflict", iam.delete_user, UserName="dan")
    s = iam.get_account_summary()["SummaryMap"]
    assert s["MFADevices"] >= 1 and s["MFADevicesInUse"] >= 1
    iam.create_user(UserName="eve")
    refused("NoSuchEntity", iam.deactivate_mfa_device, UserName="eve", SerialNumber=serial)
    iam.resync_mfa_device(AuthenticationCode1=code(seed, 500), AuthenticationCode2=code(seed, 501), **two)
    iam.deactivate_mfa_device(**two)
    assert iam.list_mfa_devices(UserName="dan")["MFADevices"] == []
    iam.delete_virtual_mfa_device(SerialNumber=serial)
    iam.delete_user(UserName="dan")
    refused("NoSuchEntity", iam.delete_virtual_mfa_device, SerialNumber=serial)


def test_session_with_a_code(cloud, device):
    refused("AccessDenied", cloud.client("iam", key=device.user).list_users)  # the key alone
    later(cloud)
    which = code(device.seed)
    refused("AccessDenied", device.session, which=wrong(which))
    c = device.session(which)
    cloud.client("iam", key=c).list_users()
    assert "MultiFactorAuthentication failed" in refused("AccessDenied", device.session, which=which)  # used
    refused("AccessDenied", device.session, which=code(device.seed, -1))  # and what was before it
    device.session(code(device.seed, 1))
    plain = device.sts.get_session_token()["Credentials"]
    refused("AccessDenied", cloud.client("s3", key=plain).list_buckets)
    cloud.client("s3", key=c).list_buckets()


def test_age_of_the_code(cloud, iam, device):
    u = device.user["UserName"]
    iam.put_user_policy(UserName=u, PolicyName="age", PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [
        {"Effect": "Deny", "Action": "iam:ListGroups", "Resource": "*", "Condition": {"NumericGreaterThan": {"aws:MultiFactorAuthAge": "300"}}}]}))
    later(cloud)
    his = cloud.client("iam", key=device.session())
    his.list_groups()
    later(cloud, 400)
    refused("AccessDenied", his.list_groups)
    his.list_users()


def test_role_that_asks_for_mfa(cloud, iam, device):
    trust = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"AWS": device.user["Arn"]}, "Action": "sts:AssumeRole",
                                                     "Condition": {"Bool": {"aws:MultiFactorAuthPresent": "true"}}}]}
    arn = iam.create_role(RoleName="careful", AssumeRolePolicyDocument=json.dumps(trust))["Role"]["Arn"]
    assume = lambda sts=device.sts, **kw: sts.assume_role(RoleArn=arn, RoleSessionName="s1", **kw)["Credentials"]  # noqa: E731
    later(cloud)
    refused("AccessDenied", assume)
    which = code(device.seed)
    c = assume(SerialNumber=device.serial, TokenCode=which)
    assert cloud.client("sts", key=c).get_caller_identity()["Arn"].endswith(":assumed-role/careful/s1")
    refused("AccessDenied", assume, SerialNumber=device.serial, TokenCode=which)
    refused("AccessDenied", assume, SerialNumber=device.serial, TokenCode="000000")
    refused("ValidationError", assume, SerialNumber=device.serial)
    refused("ValidationError", assume, TokenCode=which)
    later(cloud)
    assume(cloud.client("sts", key=device.session()))  # a session that was made with a code


def test_others_devices(cloud, iam, device):
    other = Device(cloud, iam, "olaf")
    later(cloud)
    refused("AccessDenied", device.sts.get_session_token, SerialNumber=other.serial, TokenCode=code(other.seed))
    for serial in ("GAHT12345678", other.serial + "x", device.serial.replace("mfa/", "user/")):
        refused("AccessDenied", device.sts.get_session_token, SerialNumber=serial, TokenCode=code(device.seed))
    other.session()
    iam.deactivate_mfa_device(UserName="olaf", SerialNumber=other.serial)
    later(cloud)
    refused("AccessDenied", other.session)


def test_one_code_at_once_is_one_session(cloud, device):
    later(cloud)
    which, got = code(device.seed), []

    def ask():
        sts = cloud.client("sts", key=device.user)
        try:
            got.append(sts.get_session_token(SerialNumber=device.serial, TokenCode=which)["Credentials"])
        except ClientError as e:
            assert e.response["Error"]["Code"] == "AccessDenied"

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert len(got) == 1


def test_guessing_is_shut_out(cloud, device):
    later(cloud)
    for n in range(12):
        refused("AccessDenied", device.session, which=wrong(code(device.seed)))
    refused("AccessDenied", device.session)  # the right one, too late
    later(cloud)
    device.session()


def test_used_codes_stay_used(own_cloud):
    global offset
    offset = 0
    iam = own_cloud.client("iam")
    d = Device(own_cloud, iam, "kim")
    which = code(d.seed)
    d.session(which)
    own_cloud.kill()
    own_cloud.start()
    refused("AccessDenied", own_cloud.client("sts", key=d.user).get_session_token, SerialNumber=d.serial, TokenCode=which)
    d.sts = own_cloud.client("sts", key=d.user)
    d.session(code(d.seed, 1))


def test_credential_report(cloud, iam, device):
    forger = "forger,x,x,true,x,x,x,true"  # a name and a path may hold what columns are parted by
    iam.create_user(UserName=forger, Path='/a,"b",c/')
    refused("ReportNotPresent", iam.get_credential_report)
    assert iam.generate_credential_report()["State"] == "STARTED"
    assert iam.generate_credential_report()["State"] == "COMPLETE"
    r = iam.get_credential_report()
    rows = {x["user"]: x for x in csv.DictReader(r["Content"].decode().splitlines())}
    assert r["ReportFormat"] == "text/csv" and len(rows["mia"]) == 22
    assert len(rows[forger]) == 22 and rows[forger]["mfa_active"] == "false" and rows[forger]["arn"].endswith('/a,"b",c/' + forger)
    assert rows["<root_account>"]["access_key_1_active"] == "true" and rows["<root_account>"]["password_enabled"] == "not_supported"
    mia = rows["mia"]
    assert mia["arn"] == device.user["Arn"] and mia["user_creation_time"].endswith("+00:00")
    assert (mia["mfa_active"], mia["password_enabled"], mia["access_key_1_active"], mia["access_key_2_active"]) == ("true", "false", "true", "false")
    assert mia["access_key_1_last_used_service"] in ("sts", "iam", "N/A") and None not in mia.values() and None not in mia
    later(cloud, 4 * 3600)
    refused("ReportExpired", iam.get_credential_report)
    assert iam.generate_credential_report()["State"] == "STARTED"
    iam.get_credential_report()
