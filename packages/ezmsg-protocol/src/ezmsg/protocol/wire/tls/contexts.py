"""From files to what a session needs: whom this side trusts, and by what it is to be trusted itself."""

import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from attrs import frozen

from ezmsg.protocol.errors import CertificateOutOfDate, TlsUnusable
from ezmsg.protocol.wire.tls.failures import names_of, valid_from, valid_until
from ezmsg.protocol.wire.tls.files import TlsFiles
from ezmsg.protocol.wire.tls.session import TlsSession

_NO_CHECK_TIME = 0x200000
"""``X509_V_FLAG_NO_CHECK_TIME`` of OpenSSL, to which `ssl` gives no name."""


@frozen
class Credentials:
    """By what others are to trust this side. ``certificate`` is its certificate as it is sent."""

    context: ssl.SSLContext
    files: TlsFiles
    certificate: bytes
    names: tuple[str, ...]
    valid_until: str


def trusting(files: TlsFiles, *, checks_names: bool) -> ssl.SSLContext:
    """Return a context of a side that connects.

    :param checks_names: whether the other end's certificate must hold the name or address it was reached at.
    :raises TlsUnusable: if the authority's certificate cannot be read.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.check_hostname = checks_names
    try:
        context.load_verify_locations(cafile=files.authority)
    except (OSError, ValueError) as error:  # an SSLError is an OSError
        raise TlsUnusable(file=files.authority, reason=_why(error, "a certificate in PEM")) from error
    if not context.get_ca_certs():
        raise TlsUnusable(file=files.authority, reason="there is no authority's certificate in it")
    return context


def looking(files: TlsFiles) -> ssl.SSLContext:
    """Return a context by which nothing but a look at a certificate may be taken, whatever its names and times.

    It is for saying what is wrong with one that :func:`trusting` has refused: `ssl` shows none that it refuses.
    """
    context = trusting(files, checks_names=False)
    context.verify_flags |= _NO_CHECK_TIME
    return context


def serving(files: TlsFiles) -> Credentials:
    """Return what lets others check this side, after a check that they will find it good.

    :raises TlsUnusable: if a file cannot be read, or the key is not the certificate's.
    :raises CertificateRefused: if whoever trusts the authority would refuse the certificate.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.num_tickets = 0  # nobody resumes a session
    _take_one_group(context)
    for file in (files.certificate, files.key):
        try:
            Path(file).read_bytes()
        except OSError as error:
            raise TlsUnusable(file=file, reason=_why(error, "")) from error
    try:
        # Without a password of ours, OpenSSL would ask for one at the terminal.
        context.load_cert_chain(files.certificate, files.key, password=lambda: "")
    except (OSError, ValueError) as error:
        what = f"a certificate and its key, which is not encrypted (the key is {files.key})"
        raise TlsUnusable(file=files.certificate, reason=_why(error, what)) from error
    try:
        seen = _seen(context, trusting(files, checks_names=False), files)
    except CertificateOutOfDate as error:
        raise dated(error, _seen(context, looking(files), files).details) from error
    details = seen.details
    return Credentials(context, files, seen.certificate, tuple(names_of(details)), valid_until(details))


def _take_one_group(context: ssl.SSLContext) -> None:
    """Agree on keys by one curve: some of what strangers could ask for costs this side 200 ms, and them nothing."""
    try:
        context.set_ecdh_curve("X25519")
    except (ValueError, ssl.SSLError):  # this OpenSSL was made without it
        context.set_ecdh_curve("prime256v1")


def dated(error: CertificateOutOfDate, details: Mapping[str, Any]) -> CertificateOutOfDate:
    """Return the error with the times of the certificate itself."""
    return CertificateOutOfDate(
        peer=error.peer, now=error.now, valid_from=valid_from(details), valid_until=valid_until(details)
    )


def _seen(ours: ssl.SSLContext, theirs: ssl.SSLContext, files: TlsFiles) -> TlsSession:
    """Shake hands with ourselves; return the session of those who come."""
    peer = f"the file {files.certificate}"
    serves = TlsSession(ours, serves=True)
    comes = TlsSession(theirs, serves=False, host="localhost", peer=peer, authority=files.authority)
    for _ in range(8):  # three are enough
        done = comes.shake_hands()
        serves.receive(comes.data_to_send())
        if serves.shake_hands() and done:
            break
        comes.receive(serves.data_to_send())
    return comes


def _why(error: OSError | ValueError, wanted: str) -> str:
    if isinstance(error, ssl.SSLError) and error.reason == "KEY_VALUES_MISMATCH":
        return "the key is another certificate's"
    if isinstance(error, ssl.SSLError | ValueError):
        return f"it does not hold {wanted}"
    return (error.strerror or str(error)).lower()
