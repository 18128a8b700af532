"""30xx: what keeps two sides from speaking TLS, or from trusting each other's certificate."""

from typing import ClassVar

from attrs import field

from ezmsg.protocol.declared import declared_error
from ezmsg.protocol.errors.link import LinkError


class CertificateRefused(LinkError, PermissionError):
    """The other side's certificate does not prove that it is who was meant; nothing was said to it."""


@declared_error
class TlsRequired(LinkError, PermissionError):
    """A graph server speaks TLS only, and a client does not."""

    code: ClassVar[str] = "EZ-3015"
    address: str

    def sentence(self) -> str:
        return (
            f"The graph server at {self.address} speaks TLS only, and this program was given no authority to check "
            "it by. Set EZMSG_TLS_CA to the file with the authority's certificate, or put it as tls-ca.pem beside "
            "the token's file."
        )


@declared_error
class TlsNotSpoken(LinkError, ConnectionRefusedError):
    """A client speaks TLS only, and what listens does not; ``source`` says why the client insists."""

    code: ClassVar[str] = "EZ-3016"
    address: str
    source: str

    def sentence(self) -> str:
        return (
            f"What listens at {self.address} speaks no TLS, and this program speaks nothing else, because of "
            f"{self.source}. Start the server with --tls-cert, --tls-key and --tls-ca; or, if everything may "
            "travel openly, do without that file or variable."
        )


@declared_error
class CertificateUntrusted(CertificateRefused):
    """A certificate is not of the authority that this side trusts."""

    code: ClassVar[str] = "EZ-3017"
    peer: str
    reason: str
    authority: str

    def sentence(self) -> str:
        return (
            f"The certificate of {self.peer} is not of the authority in {self.authority}: {self.reason}. "
            "Bring the tls-ca.pem here that was made together with it; if nobody has changed the certificates, "
            "somebody may be between."
        )


@declared_error
class CertificateOutOfDate(CertificateRefused):
    """A certificate is not valid at this time, as this machine's clock tells it."""

    code: ClassVar[str] = "EZ-3018"
    peer: str
    now: str
    valid_from: str = ""
    valid_until: str = ""

    def sentence(self) -> str:
        when = f" from {self.valid_from} until {self.valid_until}" if self.valid_until else " at another time"
        return (
            f"The certificate of {self.peer} is valid{when}, and the clock of this machine says {self.now}. If the "
            "clock is right, make another certificate with `ezmsg server certificates`; if not, set the clock."
        )


@declared_error
class CertificateOfAnother(CertificateRefused):
    """A certificate is of another host than the one that was asked for."""

    code: ClassVar[str] = "EZ-3019"
    peer: str
    host: str
    names: list[str] = field(factory=list)

    def sentence(self) -> str:
        held = f"is for {', '.join(self.names)} and not" if self.names else "is not"
        return (
            f"The certificate of {self.peer} {held} for {self.host}. Reach it by a name that it holds, or make one "
            f"that holds this, too: `ezmsg server certificates DIR --host NAME,{self.host}`."
        )


@declared_error
class TlsUnusable(LinkError, OSError):
    """The files for TLS are incomplete, cannot be read, or do not belong together."""

    code: ClassVar[str] = "EZ-3021"
    file: str
    reason: str

    def sentence(self) -> str:
        return (
            f"TLS was asked for, and {self.file} cannot be used for it: {self.reason}. It takes a certificate, its "
            "key and the authority's certificate, in PEM; `ezmsg server certificates` makes all three."
        )


@declared_error
class TlsFailed(LinkError, ConnectionError):
    """The two sides found no way to speak TLS."""

    code: ClassVar[str] = "EZ-3022"
    peer: str
    reason: str

    def sentence(self) -> str:
        return (
            f"No TLS connection came about with {self.peer}: {self.reason}. Both sides must speak TLS 1.3 and "
            "trust the same authority; the other side's log says what it has against it."
        )
