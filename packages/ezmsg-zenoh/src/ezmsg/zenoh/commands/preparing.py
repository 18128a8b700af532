"""From what somebody wishes for to configuration files: which there are, and what they are called."""

from pathlib import Path

from ezmsg.protocol.addresses import Address
from ezmsg.protocol.declared import declared
from ezmsg.protocol.errors import EzmsgError
from ezmsg.protocol.wire.tls.files import TlsFiles
from ezmsg.zenoh.commands.configuring import (
    ROUTER_PORT,
    Admission,
    client_configuration,
    peer_configuration,
    router_configuration,
    text_of,
)
from ezmsg.zenoh.errors import NothingPrepared
from ezmsg.zenoh.hosts import Host, certified, common_name, files_in, reached_as

ROUTER_FILE, SHARED_FILE = "router.json5", "host.json5"

_PROTECTED = ("tls/", "quic/")


@declared
class Wish:
    """What a command line asks for."""

    router: str | None
    graph: str
    certificates: Path | None
    tls_folder: Path | None
    names: tuple[str, ...]

    @property
    def wants_tls(self) -> bool:
        """Whether certificates are to decide who is let in."""
        return self.certificates is not None or self.tls_folder is not None


@declared
class _Hosts:
    """Whom the files are for: each host's own files by its name, the router's, and all common names."""

    files: dict[str, TlsFiles]
    router: TlsFiles | None
    names: tuple[str, ...]


def place_of(text: str) -> Address:
    """Return where a router is, at Zenoh's own port if the text has none.

    :raises InvalidAddress: if it is no place.
    """
    has_port = ":" in text.rpartition("]")[2]
    return Address.from_string(text if has_port else f"{text}:{ROUTER_PORT}")


def is_open(endpoint: str) -> bool:
    """Return whether others than this machine can come there, and are not asked who they are."""
    try:
        return not endpoint.startswith(_PROTECTED) and not place_of(endpoint.partition("/")[2]).is_loopback
    except EzmsgError:  # a kind of endpoint that has no host, as a pipe of this machine
        return False


def prepared(wish: Wish) -> dict[str, str]:
    """Return the files by name.

    :raises NothingPrepared: if the wish makes no sense, or certificates are missing.
    :raises InvalidAddress: if the router is nowhere.
    :raises TlsUnusable: if a certificate or its key cannot be read.
    :raises CertificateRefused: if others would refuse a certificate, as it has expired.
    """
    _check(wish)
    place = None if wish.router is None else place_of(wish.router)
    hosts = _hosts(wish, place) if wish.wants_tls else _Hosts({}, None, ())
    admission = Admission(wish.graph, hosts.names) if wish.wants_tls else None
    head = f"Zenoh for the graph {wish.graph}, made by `ezmsg zenoh config`."
    made = {}
    if place is not None:
        use = f"On the router's host: ezmsg zenoh router --config {ROUTER_FILE}"
        made[ROUTER_FILE] = text_of(router_configuration(place, hosts.router, admission), [head, use])
    for name, files in _for_each(hosts).items():
        if place is None:
            configuration = peer_configuration(files, admission)
        else:
            configuration = client_configuration(place, files)
        made[name] = text_of(configuration, [head, "For programs on a host, by EZMSG_ZENOH_CONFIG."])
    return made


def _check(wish: Wish) -> None:
    """Refuse what makes no sense by itself."""
    if wish.names and not wish.wants_tls:
        raise NothingPrepared(
            reason="--host says whose certificate is let in, and there are no certificates. Make some with "
            "`ezmsg server certificates`, and add --certificates FOLDER."
        )
    if wish.wants_tls and not (wish.names or wish.certificates):
        raise NothingPrepared(reason="who is let in? Add --host NAME for each host, or --certificates FOLDER.")
    if not all(wish.names):
        raise NothingPrepared(reason="a host without a name. Write --host NAME, as its certificate has it first.")
    if wish.router is not None and place_of(wish.router).port == 0:
        raise NothingPrepared(reason="a router has a port that all hosts know: --router HOST:7447")


def _for_each(hosts: _Hosts) -> dict[str, TlsFiles | None]:
    """Return each file's certificates by its name; hosts that have theirs at the same place share a file."""
    distinct = {files.certificate for files in hosts.files.values()}
    if len(distinct) > 1:
        return {f"host-{name}.json5": files for name, files in hosts.files.items()}
    return {SHARED_FILE: next(iter(hosts.files.values()), None)}


def _hosts(wish: Wish, router: Address | None) -> _Hosts:
    """Return whom the files are for, and where each has its own certificate."""
    there = None if wish.tls_folder is None else files_in(wish.tls_folder.expanduser().absolute())
    if wish.certificates is None:
        return _Hosts({} if there is None else {"": there}, there, tuple(map(common_name, wish.names)))
    folder = wish.certificates.expanduser().absolute()
    known = _known(folder)
    hosts = {name: _certified(known, name, folder) for name in wish.names or known or ["NAME"]}
    own = None
    if router is not None:
        own = reached_as(known, router.host)
        if own is None:
            raise _without(folder, router.host)
    return _Hosts(
        {name: there or host.files for name, host in hosts.items()},
        None if own is None else there or own.files,
        tuple(common_name(host.names[0]) for host in hosts.values()),
    )


def _known(folder: Path) -> dict[str, Host]:
    try:
        return certified(folder)
    except EzmsgError:  # some are errors of the system, too, and say more
        raise
    except OSError as error:
        raise NothingPrepared(
            reason=f"{folder} cannot be read: {error.strerror}. Name the folder of `ezmsg server certificates`."
        ) from error


def _certified(known: dict[str, Host], name: str, folder: Path) -> Host:
    try:
        return known[name]
    except KeyError:
        raise _without(folder, name) from None


def _without(folder: Path, name: str) -> NothingPrepared:
    return NothingPrepared(
        reason=f"{folder} has no certificate for {name}. Make one that holds all names and addresses by which it "
        f"is reached: ezmsg server certificates {folder} --host {name}"
    )


def written(folder: Path, files: dict[str, str], *, overwrite: bool) -> list[Path]:
    """Write the files, of which none is a secret; return where they are.

    :raises NothingPrepared: if one is there already, and is not to be overwritten.
    :raises OSError: if they cannot be written.
    """
    for name in () if overwrite else files:
        if (folder / name).exists():
            reason = f"{folder / name} is there already. Name another folder, or add --overwrite."
            raise NothingPrepared(reason=reason)
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8")
    return [folder / name for name in files]
