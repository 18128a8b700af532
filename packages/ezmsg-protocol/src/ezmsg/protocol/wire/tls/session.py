"""One end of TLS as a machine: bytes of the network in and out on one side, plain bytes on the other."""

import contextlib
import ssl
from collections.abc import Mapping
from typing import Any, cast

from ezmsg.protocol.errors import EzmsgError, TlsFailed
from ezmsg.protocol.wire.tls.failures import failure

HANDSHAKE_RECORD, ALERT_RECORD = 0x16, 0x15
"""How what the other end says first must begin."""


def is_tls(start: bytes) -> bool:
    """Return whether the first three bytes, or as many as there are, can be the beginning of TLS.

    Frames of ours begin with a length of at most 64 KiB while nobody has proved anything: their third byte is 0.
    """
    kinds = (HANDSHAKE_RECORD, ALERT_RECORD)
    return all((start[0] in kinds, start[1:2] in (b"", b"\x03"), start[2:3] != b"\0"))


class TlsSession:
    """A session of one connection. ``open`` says whether the handshake is over, and the other end believed, and
    ``peer`` who that is, for people.

    :param host: what the other end's certificate must hold; for the end that serves, nothing.
    :param peer: who is at the other end, for people.
    :param authority: the file with the authority's certificate, for people.
    """

    def __init__(
        self, context: ssl.SSLContext, *, serves: bool, host: str = "", peer: str = "The peer", authority: str = ""
    ) -> None:
        self.open = False
        self.over = False  # the other end says that it will send no more
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self.peer = peer
        self._host, self._authority = host, authority
        self._object = context.wrap_bio(
            self._incoming, self._outgoing, server_side=serves, server_hostname=None if serves else host
        )

    def shake_hands(self) -> bool:
        """Go on with the handshake; return whether it is over.

        :raises EzmsgError: if it cannot succeed. What is to send then tells the other end.
        """
        if not self.open:
            try:
                self._object.do_handshake()
            except ssl.SSLWantReadError:
                return False
            except ssl.SSLError as error:
                raise failure(error, self.peer, self._host, self._authority) from error
            self.open = True
        return True

    def receive(self, data: bytes | memoryview) -> None:
        """Take bytes of the network."""
        self._incoming.write(data)

    def read_into(self, buffer: memoryview | bytearray) -> int:
        """Take plain bytes; return how many there were, 0 if there are none for now.

        :raises TlsFailed: if what came is no TLS, or the other end says that something failed.
        """
        try:
            size = cast(int, self._object.read(len(buffer), buffer))
        except ssl.SSLWantReadError:
            return 0
        except ssl.SSLError as error:
            raise self._failed(error) from error
        self.over = not size
        return size

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Send plain bytes, all of them."""
        view = memoryview(data)
        while view:
            view = view[self._object.write(view) :]

    def data_to_send(self) -> bytes:
        """Take the bytes that are to go to the network."""
        return self._outgoing.read()

    def end(self) -> None:
        """Say that this end will send no more, so that nobody else can say it; nothing is read after this."""
        if self.open:
            with contextlib.suppress(ssl.SSLError, OSError):  # the other end has not said the same, and need not
                self._object.unwrap()

    @property
    def certificate(self) -> bytes:
        """The other end's certificate, as it was sent; nothing if it has none."""
        return self._object.getpeercert(binary_form=True) or b""

    @property
    def details(self) -> Mapping[str, Any]:
        """What the other end's certificate says: names and times."""
        return self._object.getpeercert() or {}

    def _failed(self, error: ssl.SSLError) -> EzmsgError:
        found = failure(error, self.peer, self._host, self._authority)
        return found if isinstance(found, TlsFailed) else TlsFailed(peer=self.peer, reason=str(error))
