"""By which addresses a subscriber may reach a publisher, as the server knows it from both their connections."""

from ipaddress import ip_address

from attrs import frozen

from ezmsg.protocol.declared import changed
from ezmsg.protocol.messages.endpoints import Contact


@frozen
class Route:
    """The two hosts of a client's connection: where the client is seen, and where it found the server."""

    client: str = ""
    server: str = ""

    @property
    def is_of_this_host(self) -> bool:
        """Whether the client runs on the server's own host."""
        return self.client == self.server or _is_loopback(self.client)


NOWHERE = Route()
"""The route of a client of which nothing is known."""


def contact_for(contact: Contact, publisher: Route, subscriber: Route) -> Contact:
    """Return how a subscriber may reach a publisher, the likeliest address first.

    A publisher that listens at one address of its own choice has that one. One that listens everywhere and is on
    the server's host is reached where the subscriber reaches the server; another one, where the server sees it.
    """
    if not contact.everywhere or subscriber == NOWHERE:
        return contact
    told = [contact.tcp_host, *contact.tcp_hosts]
    if not publisher.is_of_this_host:
        found = [*told, publisher.client]
    elif subscriber.is_of_this_host:
        found = [*told, subscriber.server]
    else:
        found = [subscriber.server, *told]
    # Elsewhere than on the publisher's host, a loopback address leads to somebody else.
    may_be_one_host = publisher.is_of_this_host == subscriber.is_of_this_host
    hosts = [host for host in dict.fromkeys(found) if host and (may_be_one_host or not _is_loopback(host))]
    return changed(contact, tcp_host=hosts[0], tcp_hosts=hosts[1:]) if hosts else contact


def plain_host(host: str) -> str:
    """Return a host's address without what a socket for both families puts before those of IPv4."""
    return host.removeprefix("::ffff:") if "." in host else host


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
