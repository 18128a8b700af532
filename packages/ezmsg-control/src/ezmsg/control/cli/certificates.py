"""``ezmsg server certificates``: an authority and a certificate for each host, so that TLS can be spoken."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from ezmsg.control.cli.saying import note, say

_FAILED = 1
_MOST_DAYS = 36_500
_DAYS = f"A certificate is valid for 1 to {_MOST_DAYS} days: --days 730"

FolderArgument = Annotated[Path, Parameter(help="Where to write them; the authority that is in it is used again.")]
HostsOption = Annotated[
    list[str],
    Parameter(
        name="--host",
        help="A host by all names and addresses by which it is reached, with commas between: lab,10.0.0.1. The "
        "first is the name of its folder. Once for each host.",
        negative=(),
    ),
]
DaysOption = Annotated[int, Parameter(help="For how many days the hosts' certificates are valid.")]


def certificates(folder: FolderArgument, /, *, host: HostsOption, days: DaysOption = 730) -> int:
    """Make a certificate for each host, and an authority by which all others check them: then TLS can be spoken.

    Bring each host the three files of its folder, and put them beside its token; who only looks needs tls-ca.pem
    alone. tls-ca-key.pem makes more of them, and is kept like a password. Nothing is overwritten. For example:

    ezmsg server certificates certificates --host lab,10.0.0.1 --host desk,10.0.0.2
    """
    from datetime import UTC, datetime
    from importlib.util import find_spec

    if find_spec("cryptography") is None:
        note(
            "ezmsg: Certificates are made with `cryptography`, which is not installed: "
            "pip install 'ezmsg-control[tls]'. To use them, nothing more is needed."
        )
        return _FAILED
    from ezmsg.control.certifying.folder import AUTHORITY_KEY_NAME, authority_in, certify, objection

    hosts = [[name.strip() for name in each.split(",") if name.strip()] for each in host]
    refusal = objection(folder, hosts) if 0 < days <= _MOST_DAYS else _DAYS
    if refusal:
        note(f"ezmsg: {refusal}")
        return _FAILED
    now = datetime.now(UTC)
    try:
        authority, is_new = authority_in(folder, now)
        if is_new:
            say([f"{folder}: an authority, valid until {authority.ends:%Y-%m-%d %H:%M} UTC"])
        for names in hosts:
            made = certify(folder, authority, names, now, days)
            say([f"{folder / names[0]}: {', '.join(names)}, valid until {made.ends:%Y-%m-%d %H:%M} UTC"])
    except (OSError, ValueError, TypeError) as error:  # an encrypted key is a TypeError of `cryptography`
        note(f"ezmsg: {folder} cannot be used: {error}. Name another folder, or make this one writable.")
        return _FAILED
    note(
        "Bring each host its three files by a way that you trust, and put them beside its token. Who only looks "
        f"needs tls-ca.pem alone, which is no secret. Keep {folder / AUTHORITY_KEY_NAME} where nobody else reads "
        "it."
    )
    return 0
