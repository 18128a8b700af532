"""Where a subscriber may reach a publisher, as the server tells it."""

from uuid import UUID

import pytest

from ezmsg.graphserver.deciding.contacts import NOWHERE, Route, contact_for, plain_host
from ezmsg.protocol.declared import changed
from ezmsg.protocol.messages.endpoints import Contact

HERE = Route("127.0.0.1", "127.0.0.1")
HERE_BY_NAME = Route("10.0.0.1", "10.0.0.1")
DESK = Route("10.0.0.2", "10.0.0.1")
OTHER_NET = Route("192.168.7.2", "192.168.7.1")
EVERYWHERE = Contact(UUID(int=1), None, "127.0.0.1", 25980, ["10.0.0.1"], everywhere=True)
AT_DESK = Contact(UUID(int=2), None, "10.0.0.2", 25980, ["172.16.0.2"], everywhere=True)


@pytest.mark.parametrize(
    ("contact", "publisher", "subscriber", "hosts"),
    [
        # On the server's host, a publisher is where the subscriber found the server.
        (EVERYWHERE, HERE, DESK, ["10.0.0.1"]),
        (EVERYWHERE, HERE, OTHER_NET, ["192.168.7.1", "10.0.0.1"]),
        (EVERYWHERE, HERE_BY_NAME, OTHER_NET, ["192.168.7.1", "10.0.0.1"]),
        (changed(EVERYWHERE, tcp_hosts=[]), HERE, DESK, ["10.0.0.1"]),
        (EVERYWHERE, HERE, HERE, ["127.0.0.1", "10.0.0.1"]),
        (EVERYWHERE, HERE, HERE_BY_NAME, ["127.0.0.1", "10.0.0.1"]),
        # On another one, where it says that it is, and where the server sees it.
        (AT_DESK, DESK, HERE, ["10.0.0.2", "172.16.0.2"]),
        (AT_DESK, Route("10.9.9.9", "10.0.0.1"), HERE, ["10.0.0.2", "172.16.0.2", "10.9.9.9"]),
        (AT_DESK, DESK, OTHER_NET, ["10.0.0.2", "172.16.0.2"]),
        # Who listens at one address only is there, and nowhere else.
        (changed(EVERYWHERE, everywhere=False), HERE, DESK, ["127.0.0.1", "10.0.0.1"]),
        (EVERYWHERE, HERE, NOWHERE, ["127.0.0.1", "10.0.0.1"]),
    ],
)
def test_where_it_is_tried(contact: Contact, publisher: Route, subscriber: Route, hosts: list[str]) -> None:
    told = contact_for(contact, publisher, subscriber)
    assert [address.host for address in told.tcp_addresses] == hosts
    assert {address.port for address in told.tcp_addresses} == {25980}


def test_addresses_of_a_socket_for_both_families_are_those_of_ipv4() -> None:
    assert [plain_host(host) for host in ("::ffff:10.0.0.1", "10.0.0.1", "::1", "fe80::1")] == [
        *("10.0.0.1", "10.0.0.1", "::1", "fe80::1")
    ]
