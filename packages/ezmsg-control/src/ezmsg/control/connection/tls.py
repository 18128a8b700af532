"""TLS under a control connection: only a client that has an authority to check servers by imports this."""

import asyncio
import contextlib
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, cast

from ezmsg.protocol.addresses import Address
from ezmsg.protocol.errors import (
    CertificateOfAnother,
    CertificateOutOfDate,
    CertificateRefused,
    EzmsgError,
    TlsNotSpoken,
)
from ezmsg.protocol.wire.tls.contexts import dated, looking, trusting
from ezmsg.protocol.wire.tls.failures import names_of
from ezmsg.protocol.wire.tls.files import TlsFiles
from ezmsg.protocol.wire.tls.session import TlsSession
from ezmsg.protocol.wire.tls.transport import TlsTransport

LOOK_TIMEOUT_S = 2.0
"""How long a second look at a certificate that was refused may take, in seconds."""


def secured(
    protocol: asyncio.BaseProtocol, address: Address, files: TlsFiles
) -> Callable[[], asyncio.BaseProtocol]:
    """Return what makes the protocol of a connection that says nothing before the server has proved itself.

    :raises TlsUnusable: if the authority's certificate cannot be used.
    """
    context = trusting(files, checks_names=True)
    session = partial(_session, context, address, files)
    return lambda: _between(protocol, address, files, session)


async def explained(error: CertificateRefused, address: Address, files: TlsFiles) -> EzmsgError:
    """Return why a certificate was refused, with what it says of itself.

    For this it is looked at once more, over a connection on which nothing else is said or believed.
    """
    if not isinstance(error, CertificateOutOfDate | CertificateOfAnother):
        return error
    details = await _look(address, files)
    if not details:
        return error
    if isinstance(error, CertificateOutOfDate):
        return dated(error, details)
    return CertificateOfAnother(peer=error.peer, host=error.host, names=names_of(details))


def _session(context: Any, address: Address, files: TlsFiles) -> TlsSession:
    host = address.host.partition("%")[0]  # without the interface of a link-local address
    peer = f"the graph server at {address}"
    return TlsSession(context, serves=False, host=host, peer=peer, authority=files.authority)


def _between(
    protocol: asyncio.BaseProtocol,
    address: Address,
    files: TlsFiles,
    session: Callable[[], TlsSession],
    on_open: Callable[[TlsSession], None] | None = None,
) -> asyncio.BaseProtocol:
    def refuse_plain() -> EzmsgError:
        return TlsNotSpoken(address=str(address), source=files.source)

    between = TlsTransport(protocol, session, serves=False, on_plain=refuse_plain, on_open=on_open)
    return cast(asyncio.BaseProtocol, between)  # it has all that loops call


async def _look(address: Address, files: TlsFiles) -> Mapping[str, Any]:
    """Return what a server's certificate says; nothing if that cannot be seen."""
    loop = asyncio.get_running_loop()
    seen: asyncio.Future[Mapping[str, Any]] = loop.create_future()

    def settle(details: Mapping[str, Any]) -> None:
        if not seen.done():
            seen.set_result(details)

    session = partial(_session, looking(files), address, files)
    with contextlib.suppress(OSError, EzmsgError, TimeoutError):
        async with asyncio.timeout(LOOK_TIMEOUT_S):
            transport, _ = await loop.create_connection(
                lambda: _between(_Onlooker(settle), address, files, session, lambda it: settle(it.details)),
                *address,
            )
            try:
                return await seen
            finally:
                transport.abort()
    return {}


class _Onlooker(asyncio.Protocol):
    """Says and hears nothing."""

    def __init__(self, settle: Callable[[Mapping[str, Any]], None]) -> None:
        self._settle = settle

    def connection_lost(self, exc: Exception | None) -> None:
        self._settle({})
