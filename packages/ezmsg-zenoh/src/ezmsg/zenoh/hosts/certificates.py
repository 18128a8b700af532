"""Whose certificates are there, and where each host has its own: what `ezmsg server certificates` has made is read.

It reads certificates, and writes nothing.
"""

from collections.abc import Mapping
from pathlib import Path

from ezmsg.protocol.declared import declared
from ezmsg.protocol.errors import EzmsgError
from ezmsg.protocol.wire.tls.files import AUTHORITY_NAME, CERTIFICATE_NAME, KEY_NAME, TlsFiles


@declared
class Host:
    """A host by all names and addresses that its certificate holds, the first of which it was made for."""

    names: tuple[str, ...]
    files: TlsFiles


def certified(folder: Path) -> dict[str, Host]:
    """Return the hosts for which a folder has certificates, by name.

    :raises OSError: if it cannot be read.
    :raises TlsUnusable: if a file cannot be read, or the key is not the certificate's.
    :raises CertificateRefused: if whoever trusts the authority would refuse a certificate, as it has expired.
    """
    from ezmsg.protocol.wire.tls.contexts import serving  # brings `ssl`

    places = sorted(place for place in folder.iterdir() if (place / CERTIFICATE_NAME).exists())
    return {place.name: Host(tuple(serving(files).names), files) for place in places for files in [files_in(place)]}


def fault_of(files: TlsFiles) -> str:
    """Return why others would refuse a host with these files; nothing if that cannot be seen from here."""
    from ezmsg.protocol.wire.tls.contexts import serving

    try:
        serving(files)
    except EzmsgError as error:
        return error.sentence().rstrip(".")
    return ""


def files_in(folder: Path) -> TlsFiles:
    """Return a host's three files in a folder, which need not be one of this machine."""
    authority, certificate, key = (str(folder / name) for name in (AUTHORITY_NAME, CERTIFICATE_NAME, KEY_NAME))
    return TlsFiles(authority, certificate, key)


def common_name(name: str) -> str:
    """Return how access control knows a host whose certificate has this name first: there is room for so much."""
    return name[:64]


def reached_as(known: Mapping[str, Host], name: str) -> Host | None:
    """Return the host whose certificate holds a name or an address; ``None`` if there is none."""
    return next((host for host in known.values() if name in host.names), None)
