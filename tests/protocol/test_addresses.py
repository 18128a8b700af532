"""Addresses: what is written out reads back, and everything else is refused with a typed error."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ezmsg.protocol.addresses import DEFAULT_HOST, Address, parse_address
from ezmsg.protocol.errors import InvalidAddress

NAMES = st.from_regex(r"[a-z0-9]([a-z0-9.-]{0,10}[a-z0-9])?", fullmatch=True)
HOSTS = NAMES | st.ip_addresses().map(str)
PORTS = st.integers(0, 0xFFFF)


@given(host=HOSTS, port=PORTS)
def test_an_address_reads_back_from_its_text(host: str, port: int) -> None:
    address = Address(host, port)
    assert Address.from_string(str(address)) == address
    assert Address.from_string(f" {address}\n") == address
    assert parse_address(str(address)) == address
    assert parse_address((host, port)) == address
    assert parse_address(address) == address


@given(PORTS)
def test_a_bare_port_means_the_default_host(port: int) -> None:
    assert Address.from_string(f":{port}") == (DEFAULT_HOST, port)


@given(st.text(st.sampled_from("a1:[]-+ .\u0663²\n")) | st.text())
def test_any_text_is_an_address_or_is_refused(text: str) -> None:
    try:
        address = Address.from_string(text)
    except InvalidAddress as error:
        assert error.address == text  # noqa: PT017  either outcome is right
    else:
        assert 0 <= address.port <= 0xFFFF


@pytest.mark.parametrize(
    "text",
    ["", "host", "host:", "host:-1", "host:65536", "host:1e3", "host:²", "host:" + "9" * 5000, "host:00000080"],
)
def test_texts_without_a_proper_port_are_refused(text: str) -> None:
    with pytest.raises(InvalidAddress):
        Address.from_string(text)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("::1", "Write [::1]:PORT,"),
        ("fe80::1%eth0", "Write [fe80::1%eth0]:PORT,"),
        ("::1:25978", "Write [::1]:25978,"),
        ("http://localhost:25978", "Write localhost:25978,"),
        ("tcp://localhost", "Write localhost:PORT,"),
        ("https://[::1]:5/graph", "Write [::1]:5,"),
        ("[::1:5", "Write HOST:PORT,"),
        ("[host]:5", "Write HOST:PORT,"),
        ("a b:5", "Write HOST:PORT,"),
        ("host/:5", "Write HOST:PORT,"),
    ],
)
def test_what_has_another_form_is_refused_with_the_right_one(text: str, said: str) -> None:
    with pytest.raises(InvalidAddress) as caught:
        Address.from_string(text)
    assert said in str(caught.value)


@pytest.mark.parametrize("pair", [("host", 65536), ("host", -1), ("host", "80"), ("host",), (1, 2), None, 80])
def test_what_is_no_pair_of_host_and_port_is_refused(pair: object) -> None:
    with pytest.raises(InvalidAddress):
        parse_address(pair)  # type: ignore[arg-type]


@pytest.mark.parametrize("host", ["127.0.0.1", "127.3.2.1", "::1", "localhost", "LocalHost"])
def test_loopback_hosts(host: str) -> None:
    assert Address(host, 1).is_loopback


@pytest.mark.parametrize(
    "host", ["127.example.org", "0.0.0.0", "::", "10.0.0.1", "127.0.0.1.example.org", "", "host"]
)
def test_hosts_that_others_may_reach(host: str) -> None:
    assert not Address(host, 1).is_loopback


@given(st.text(st.characters(exclude_characters=":/", exclude_categories=["Z", "C"]), min_size=1, max_size=20))
def test_a_name_reads_back_from_its_text(name: str) -> None:
    address = Address.from_string(f"zenoh:{name}")
    assert address.way == ("zenoh", name)
    assert str(address) == f"zenoh:{name}"
    assert parse_address(str(address)) == parse_address(tuple(address)) == address
    assert not address.is_loopback


@pytest.mark.parametrize("text", ["zenoh:2024", "zenoh:7447"])
def test_names_may_be_of_digits(text: str) -> None:
    assert Address.from_string(text).way == ("zenoh", text.partition(":")[2])


@pytest.mark.parametrize("text", ["lab1:http", "zenoh:", "zenoh:a:b", "zenoh:a b", "zenoh:a/b", "nearby:lab"])
def test_what_is_no_known_way_is_no_address(text: str) -> None:
    with pytest.raises(InvalidAddress):
        Address.from_string(text)


@pytest.mark.parametrize("host", ["::1", "fe80::1", "http:foo", "zenoh", "localhost"])
def test_hosts_are_no_ways(host: str) -> None:
    assert Address(host, 80).way is None
