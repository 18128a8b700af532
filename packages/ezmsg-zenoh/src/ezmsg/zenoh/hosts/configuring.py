"""What stands in configuration files of Zenoh for the hosts of one graph: a router's, a client's, a peer's.

Pure: it reads and writes no file. Zenoh is not needed, either; that it takes what is made here is for tests to see.
"""

import json
from collections.abc import Iterator, Sequence
from ipaddress import ip_address
from typing import Any

from ezmsg.protocol.addresses import Address
from ezmsg.protocol.declared import declared
from ezmsg.protocol.wire.tls.files import TlsFiles
from ezmsg.zenoh.keys import ROOT, chunk

ROUTER_PORT = 7447
"""Zenoh's own for routers."""

LEASE_MS = 3000
"""A host that is not heard of for so long is taken for gone."""

CONNECT_MS = 4000
"""How long a client that begins waits for its router, so that the two may be started at once.

It is less than the 5 seconds that a channel has to open: then what is told is what Zenoh has against it.
"""

RETRY = {"period_init_ms": 100, "period_max_ms": 1000, "period_increase_factor": 2}
"""When a connection is tried again: often enough that a router that comes back is found within the lease."""

MOST_BYTES = 4 * 1024**3
"""A larger message is dropped by whoever it comes to; it is memory that somebody let in can take."""

ACCESS = [
    "put",
    "delete",
    "declare_subscriber",
    "query",
    "reply",
    "declare_queryable",
    "liveliness_token",
    "liveliness_query",
    "declare_liveliness_subscriber",
]
"""All that Zenoh's access control knows of."""

_COMMENTS = {
    "mode": "A router passes messages on, a client is connected to it, peers find each other.",
    "connect.timeout_ms": "A program that begins waits so long for its router, then says that there is none.",
    "connect.retry": "A router that comes back is found before anybody is given up.",
    "scouting": "Nobody is looked for: who connects to whom stands here.",
    "transport.shared_memory": "Inside a host messages go by ezmsg's own shared memory.",
    "transport.link.protocols": "Nothing travels openly.",
    "transport.link.tx.lease": "A host that is not heard of for so many milliseconds is taken for gone.",
    "transport.link.rx.max_message_size": "A larger message is dropped; it is memory that each link may take.",
    "transport.link.tls.enable_mtls": "Both ends show a certificate of the authority, or do not meet.",
    "access_control": "Holders of these certificates may do all on the graph's keys, and nobody anything else.",
}
"""What is said above a line, by where it stands."""


@declared
class Admission:
    """Who takes part in a graph: the hosts whose certificates have these common names."""

    graph: str
    names: tuple[str, ...]


def router_configuration(place: Address, files: TlsFiles | None, admission: Admission | None) -> dict[str, Any]:
    """Return what a router goes by, that clients reach at a place."""
    kind = "tcp" if files is None else "tls"
    configuration = {
        "mode": "router",
        "listen": {"endpoints": [f"{kind}/{_listening(place)}"]},
        "scouting": {"multicast": {"enabled": False}},
        "transport": _transport(files),
    }
    return configuration | _access_control(admission)


def client_configuration(place: Address, files: TlsFiles | None) -> dict[str, Any]:
    """Return what a host goes by whose programs reach all others through a router.

    It needs no access control: what comes to it has passed the router's.
    """
    kind = "tcp" if files is None else "tls"
    connect = {"endpoints": [f"{kind}/{place}"], "timeout_ms": CONNECT_MS, "retry": RETRY}
    return {
        "mode": "client",
        "connect": connect,
        "scouting": {"multicast": {"enabled": False}},
        "transport": _transport(files),
    }


def peer_configuration(files: TlsFiles | None, admission: Admission | None) -> dict[str, Any]:
    """Return what a host goes by whose programs find the others of one local network, without a router."""
    kind = "tcp" if files is None else "tls"
    configuration = {
        "mode": "peer",
        "listen": {"endpoints": [f"{kind}/[::]:0"]},  # several programs of a host have a port each
        "transport": _transport(files),
    }
    return configuration | _access_control(admission)


def text_of(configuration: dict[str, Any], head: Sequence[str]) -> str:
    """Return a configuration as a file of JSON5, with comments, of which some are at its head."""
    comments = (f"// {' '.join(line.split())}".rstrip() for line in head)  # a name with a line's end ends none
    lines = [*comments, "{", *_lines(configuration, ""), "}"]
    return "\n".join(lines) + "\n"


def _listening(place: Address) -> Address:
    """Return where a router listens that is reached by a name or an address: at that address, or at all."""
    try:
        ip_address(place.host)
    except ValueError:
        if not place.is_loopback:
            return Address("0.0.0.0", place.port)  # a name may be that of any of its addresses
    return place


def _transport(files: TlsFiles | None) -> dict[str, Any]:
    link: dict[str, Any] = {"tx": {"lease": LEASE_MS}, "rx": {"max_message_size": MOST_BYTES}}
    if files is not None:
        link["protocols"] = ["tls"]
        link["tls"] = {
            "root_ca_certificate": files.authority,
            "listen_certificate": files.certificate,
            "listen_private_key": files.key,
            "connect_certificate": files.certificate,
            "connect_private_key": files.key,
            "enable_mtls": True,
        }
    return {"shared_memory": {"enabled": False}, "link": link}


def _access_control(admission: Admission | None) -> dict[str, Any]:
    if admission is None:
        return {}
    name = f"graph {admission.graph}"
    rule = {
        "id": name,
        "permission": "allow",
        "flows": ["ingress", "egress"],
        "messages": ACCESS,
        "key_exprs": [f"{ROOT}/{chunk(admission.graph)}/**"],
    }
    subject = {"id": f"hosts of {name}", "cert_common_names": list(admission.names)}
    policy = {"rules": [rule["id"]], "subjects": [subject["id"]]}
    return {
        "access_control": {
            "enabled": True,
            "default_permission": "deny",
            "rules": [rule],
            "subjects": [subject],
            "policies": [policy],
        }
    }


def _lines(value: dict[str, Any], path: str) -> Iterator[str]:
    """Write the inside of an object; what is short takes one line."""
    indent = "  " * (path.count(".") + 1)
    for key, inner in value.items():
        if comment := _COMMENTS.get(path + key):
            yield f"{indent}// {comment}"
        if isinstance(inner, dict) and (len(inner) > 1 or _says_more(inner, f"{path}{key}.")):
            yield f"{indent}{key}: {{"
            yield from _lines(inner, f"{path}{key}.")
            yield f"{indent}}},"
        else:
            nested = isinstance(inner, list) and any(isinstance(each, dict) for each in inner)
            # Zenoh's parser does not know of letters that are written as two numbers.
            text = json.dumps(inner, indent=2 if nested else None, ensure_ascii=False)
            yield f"{indent}{key}: {text},".replace("\n", f"\n{indent}")


def _says_more(value: dict[str, Any], path: str) -> bool:
    """Return whether an object has objects in it, or something with a comment."""
    return any(isinstance(inner, dict) or path + key in _COMMENTS for key, inner in value.items())
