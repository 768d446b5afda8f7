# SPDX-License-Identifier: Apache-2.0
"""The server's certificate is made once, and made anew when something is wrong with it."""
import ssl


def pair(cloud):
    return (cloud.data / "tls/server.pem").read_bytes(), (cloud.data / "tls/server.key").read_bytes()


def answers(cloud):
    return cloud.client("sts").get_caller_identity()["Account"] == cloud.account


def test_a_restart_keeps_the_certificate(own_cloud):
    first = pair(own_cloud)
    for _ in range(3):
        own_cloud.stop()
        own_cloud.start()
        assert pair(own_cloud) == first
    assert answers(own_cloud)


def test_a_damaged_pair_is_replaced(own_cloud):
    own_cloud.stop()
    own_cloud.start()  # the pair is marked as checked now
    for damaged in ("server.pem", "server.key", "ca.pem"):
        before = pair(own_cloud)
        own_cloud.stop()
        path = own_cloud.data / "tls" / damaged
        text = bytearray(path.read_bytes())
        text[len(text) // 2] ^= 1
        path.write_bytes(text)
        own_cloud.start()
        assert pair(own_cloud) != before
        assert answers(own_cloud)


def test_another_clouds_pair_is_replaced(own_cloud, cloud):
    """A pair that is whole, but not of this authority: also with the mark that came with it."""
    own_cloud.stop()
    for name in ("server.pem", "server.key", "checked"):
        source = cloud.data / "tls" / name
        if source.exists():
            (own_cloud.data / "tls" / name).write_bytes(source.read_bytes())
    own_cloud.start()
    assert pair(own_cloud) != pair(cloud)
    context = ssl.create_default_context(cafile=own_cloud.ca)
    assert context.get_ca_certs()
    assert answers(own_cloud)
