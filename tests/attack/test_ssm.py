# SPDX-License-Identifier: Apache-2.0
"""Parameter Store: names that point elsewhere, and listings that must not cost memory."""

from refusals import refused


def resident_kib(cloud):
    for line in open("/proc/%d/status" % cloud.proc.pid):
        if line.startswith("VmHWM"):
            return int(line.split()[1])
    raise AssertionError("no VmHWM")


def test_an_arn_of_another_account_or_region_is_not_ours(cloud):
    ssm = cloud.client("ssm")
    ssm.put_parameter(Name="/foreign/x", Value="ours", Type="String")
    own = "arn:aws:ssm:us-east-1:%s:parameter/foreign/x" % cloud.account
    assert ssm.get_parameter(Name=own)["Parameter"]["Value"] == "ours"
    for arn in (own.replace(cloud.account, "999999999999"), own.replace("us-east-1", "us-west-2")):
        refused("ParameterNotFound", ssm.get_parameter, Name=arn)
        assert ssm.get_parameters(Names=[arn])["InvalidParameters"] == [arn]


def test_a_version_is_not_the_parameter(cloud):
    ssm = cloud.client("ssm")
    ssm.put_parameter(Name="/versions/x", Value="1", Type="String")
    refused("ParameterNotFound", ssm.delete_parameter, Name="/versions/x:1")
    assert ssm.delete_parameters(Names=["/versions/x:1"])["InvalidParameters"] == ["/versions/x:1"]
    assert ssm.get_parameter(Name="/versions/x:1")["Parameter"]["Value"] == "1"


def test_a_filter_that_fits_nothing_costs_no_memory(own_cloud):
    ssm = own_cloud.client("ssm")
    for i in range(1200):
        ssm.put_parameter(Name="/many/%d" % i, Value="v" * 4000, Type="String")
    for turn in range(3):
        if turn == 1:  # the store's pages are mapped by now: from here on only what calls allocate counts
            open("/proc/%d/clear_refs" % own_cloud.proc.pid, "w").write("5")
            before = resident_kib(own_cloud)
        found = [p for page in ssm.get_paginator("describe_parameters").paginate(ParameterFilters=[{"Key": "Name", "Option": "Contains", "Values": ["nowhere"]}])
                 for p in page["Parameters"]]
        assert found == []
    assert resident_kib(own_cloud) - before < 2048
    got = [p["Name"] for page in ssm.get_paginator("describe_parameters").paginate(ParameterFilters=[{"Key": "Name", "Option": "Contains", "Values": ["99"]}])
           for p in page["Parameters"]]
    assert sorted(got) == sorted("/many/%d" % i for i in range(1200) if "99" in str(i))
