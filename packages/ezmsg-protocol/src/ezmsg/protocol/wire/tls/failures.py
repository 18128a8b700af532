"""What `ssl` says, as errors of ours."""

import contextlib
import ssl
import time
from collections.abc import Mapping
from ipaddress import ip_address
from typing import Any

from ezmsg.protocol.errors import (
    CertificateOfAnother,
    CertificateOutOfDate,
    CertificateUntrusted,
    EzmsgError,
    TlsFailed,
)

_NOT_YET_VALID, _EXPIRED, _OTHER_NAME, _OTHER_ADDRESS = 9, 10, 62, 64
"""Numbers of OpenSSL, from its ``x509_vfy.h``."""

_ALERTS = {
    "UNKNOWN_CA": "it does not trust the authority of this side's certificate",
    "BAD_CERTIFICATE": "it does not accept this side's certificate",
    "CERTIFICATE_EXPIRED": "it says that this side's certificate is out of date",
    "CERTIFICATE_UNKNOWN": "it does not accept this side's certificate",
    "PROTOCOL_VERSION": "it speaks an older TLS than 1.3",
    "UNSUPPORTED_PROTOCOL": "it speaks an older TLS than 1.3",
    "WRONG_VERSION_NUMBER": "what it says is no TLS 1.3",
}
"""What the names that OpenSSL has for alerts and errors end in, in words."""


def failure(error: ssl.SSLError, peer: str, host: str, authority: str) -> EzmsgError:
    """Return why a handshake failed.

    :param peer: who is at the other end, for people.
    :param host: what its certificate was to hold.
    :param authority: the file with the authority's certificate.
    """
    if not isinstance(error, ssl.SSLCertVerificationError):
        return TlsFailed(peer=peer, reason=_in_words(error))
    if error.verify_code in (_NOT_YET_VALID, _EXPIRED):
        return CertificateOutOfDate(peer=peer, now=clock(time.time()))
    if error.verify_code in (_OTHER_NAME, _OTHER_ADDRESS):
        return CertificateOfAnother(peer=peer, host=host)
    return CertificateUntrusted(peer=peer, reason=error.verify_message, authority=authority)


def clock(seconds: float) -> str:
    """Return a wall time for people, in UTC, which does not depend on where they are."""
    return time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(seconds))


def names_of(certificate: Mapping[str, Any]) -> list[str]:
    """Return the names and addresses that a certificate holds, as ``getpeercert`` tells it."""
    held = certificate.get("subjectAltName", ())
    found = []
    for kind, name in held:
        with contextlib.suppress(ValueError):  # an address that is none
            if kind == "IP Address":
                found.append(str(ip_address(name)))
            elif kind == "DNS":
                found.append(name)
    return found


def valid_from(certificate: Mapping[str, Any]) -> str:
    """Return from when on a certificate is valid, as ``getpeercert`` tells it."""
    return clock(ssl.cert_time_to_seconds(certificate["notBefore"]))


def valid_until(certificate: Mapping[str, Any]) -> str:
    """Return until when a certificate is valid, as ``getpeercert`` tells it."""
    return clock(ssl.cert_time_to_seconds(certificate["notAfter"]))


def _in_words(error: ssl.SSLError) -> str:
    reason = error.reason or str(error)
    known = (words for name, words in _ALERTS.items() if reason.endswith(name))
    return next(known, reason.lower().replace("_", " "))
