"""TLS before a link: only a server that was given a certificate imports this."""

from pathlib import Path

from ezmsg.graphserver.sockets.link import Link
from ezmsg.protocol.addresses import Address
from ezmsg.protocol.errors import TlsRequired
from ezmsg.protocol.wire.tls.contexts import Credentials, serving
from ezmsg.protocol.wire.tls.files import TlsFiles
from ezmsg.protocol.wire.tls.session import TlsSession
from ezmsg.protocol.wire.tls.transport import TlsTransport


class TlsDoor:
    """Lets clients in by TLS, and tells those that speak openly that it is wanted.

    :raises TlsUnusable: if the files cannot be used.
    :raises CertificateRefused: if clients would refuse the certificate.
    """

    def __init__(self, files: TlsFiles) -> None:
        self.credentials: Credentials = serving(files)

    @property
    def authority(self) -> str:
        """The file by which clients can check this server, whatever folder they run in."""
        return str(Path(self.credentials.files.authority).absolute())

    def before(self, link: Link, address: Address) -> TlsTransport:
        """Return what stands between the socket of a client and its link."""

        def refuse_plain() -> None:
            link.close(TlsRequired(address=str(address)))  # which it understands, as it goes out plain

        def session() -> TlsSession:
            return TlsSession(self.credentials.context, serves=True, peer=f"the client at {link.address}")

        return TlsTransport(link, session, serves=True, on_plain=refuse_plain)
