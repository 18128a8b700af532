"""The folder in which an authority lives, and what it has made for each host; nothing in it is ever overwritten."""

import os
import re
import socket
from datetime import datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from ezmsg.control.certifying.authority import BEGINS_BEFORE, Certified, make_authority, make_certificate
from ezmsg.protocol.wire.tls.files import AUTHORITY_NAME, CERTIFICATE_NAME, KEY_NAME

AUTHORITY_KEY_NAME = "tls-ca-key.pem"
_NAME = re.compile(r"(?:[A-Za-z0-9_-]{1,63}\.)*[A-Za-z0-9_-]{1,63}")


def objection(folder: Path, hosts: list[list[str]]) -> str:
    """Return why certificates cannot be made for these hosts, each with all its names; nothing if they can."""
    for names in hosts:
        wrong = next((name for name in names if not _is_name(name)), None)
        if not names or wrong is not None:
            return (
                f"{wrong or 'An empty text'} is no host's name or address. Write --host NAME,ADDRESS, without "
                "blanks and ports."
            )
        for path in (folder / names[0] / CERTIFICATE_NAME, folder / names[0] / KEY_NAME):
            if path.exists():
                return f"{path} is there already, and nothing is overwritten. Move it away, or name another folder."
    if len({names[0] for names in hosts}) < len(hosts):
        return "Two hosts have the same first name, which is that of their folder."
    return ""


def authority_in(folder: Path, now: datetime) -> tuple[Certified, bool]:
    """Return the authority of a folder, and whether it was made just now, as there was none.

    :raises OSError: if it cannot be read or written.
    :raises ValueError: if what is there is no authority.
    """
    certificate, key = folder / AUTHORITY_NAME, folder / AUTHORITY_KEY_NAME
    if certificate.exists() or key.exists():
        return Certified.from_pem(certificate.read_bytes(), key.read_bytes()), False
    made = make_authority(f"ezmsg authority, {socket.gethostname()}, {now:%Y-%m-%d %H:%M}", now)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    _write(key, made.key_pem, 0o600)
    _write(certificate, made.certificate_pem, 0o644)
    return made, True


def certify(folder: Path, authority: Certified, names: list[str], now: datetime, days: int) -> Certified:
    """Make a host's certificate, in a folder of its first name, with all that the host needs.

    :raises OSError: if it cannot be written.
    :raises ValueError: if another authority's certificate lies there.
    """
    beside = folder / names[0] / AUTHORITY_NAME
    if beside.exists() and beside.read_bytes() != authority.certificate_pem:
        raise ValueError(f"{beside} is another authority's, and has to be moved away first")
    made = make_certificate(authority, names, now - BEGINS_BEFORE, now + timedelta(days=days))
    place = folder / names[0]
    place.mkdir(mode=0o700, exist_ok=True)
    _write(place / KEY_NAME, made.key_pem, 0o600)
    _write(place / CERTIFICATE_NAME, made.certificate_pem, 0o644)
    if not (place / AUTHORITY_NAME).exists():
        _write(place / AUTHORITY_NAME, authority.certificate_pem, 0o644)
    return made


def _is_name(name: str) -> bool:
    try:
        ip_address(name)
    except ValueError:
        return len(name) <= 253 and _NAME.fullmatch(name) is not None
    return True


def _write(path: Path, content: bytes, mode: int) -> None:
    """Write a file that is not there yet, and that at no moment anybody else can read who is not to."""
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
        file.write(content)
