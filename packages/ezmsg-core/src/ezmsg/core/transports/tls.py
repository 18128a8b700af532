"""TLS under the links of a process: by what others check it, and it checks others. Imported only where it is
wanted.

Which certificate a publisher has, its subscribers know from the graph server: so its own it must be, and not just
one of the same authority. That its name fits need not be asked, as publishers are reached by whatever address
there is.
"""

from collections.abc import Callable
from functools import partial
from hashlib import sha256
from typing import cast

from ezmsg.core.transports.accepting import Factory
from ezmsg.core.transports.link import Link
from ezmsg.protocol.addresses import Address
from ezmsg.protocol.errors import CertificateUntrusted, EzmsgError, TlsNotSpoken
from ezmsg.protocol.wire.tls.contexts import Credentials, serving, trusting
from ezmsg.protocol.wire.tls.files import TlsFiles
from ezmsg.protocol.wire.tls.session import TlsSession
from ezmsg.protocol.wire.tls.transport import TlsTransport


class LinkTls:
    """What the links of one event loop need. ``certificate`` tells others which one is ours; it is empty without
    one.

    :raises TlsUnusable: if the files cannot be used.
    :raises CertificateRefused: if others would refuse the certificate.
    """

    def __init__(self, files: TlsFiles) -> None:
        self._files = files
        self._trusting = trusting(files, checks_names=False)
        self._credentials: Credentials | None = serving(files) if files.can_serve else None

    @property
    def certificate(self) -> bytes:
        """The SHA-256 of this side's certificate, or nothing."""
        return b"" if self._credentials is None else sha256(self._credentials.certificate).digest()

    def accepts(self, make_link: Callable[[], Link]) -> Factory:
        """Return what makes the protocol of somebody who comes."""
        credentials = self._credentials
        if credentials is None:
            return make_link
        session = partial(TlsSession, credentials.context, serves=True, peer="a subscriber")

        def accept() -> TlsTransport:
            link = make_link()
            return TlsTransport(link, session, serves=True, on_plain=link.abort)

        return cast(Factory, accept)

    def connects(self, make_link: Callable[[], Link], address: Address, certificate: bytes) -> Factory:
        """Return what makes the protocol of a connection to a publisher that has this certificate."""
        peer = f"the publisher at {address}"
        session = partial(
            TlsSession, self._trusting, serves=False, host=address.host, peer=peer, authority=self._files.authority
        )

        def check(made: TlsSession) -> None:
            if sha256(made.certificate).digest() != certificate:
                reason = "it is not the one that the publisher has told the graph server"
                raise CertificateUntrusted(peer=peer, reason=reason, authority=self._files.authority)

        def refuse_plain() -> EzmsgError:
            return TlsNotSpoken(address=str(address), source=self._files.source)

        def connect() -> TlsTransport:
            return TlsTransport(make_link(), session, serves=False, on_plain=refuse_plain, on_open=check)

        return cast(Factory, connect)
