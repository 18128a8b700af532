"""``ezmsg zenoh``: configuration files for the hosts of a graph, and a router. Zenoh itself is imported late."""

from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

from ezmsg.control.cli.saying import note, say

zenoh = App(
    name="zenoh",
    help="Prepare many hosts for a graph over Zenoh, and run a router. For example:\n\nezmsg zenoh router",
    help_format="plaintext",
)

_FAILED = 1

FolderArgument = Annotated[
    Path | None, Parameter(help="Where to write the files. Without one they are shown on standard output.")
]
RouterOption = Annotated[
    str | None,
    Parameter(
        help="Where all hosts reach a router, HOST or HOST:PORT; the port is 7447 if none is given. Without it, "
        "programs of one local network find each other."
    ),
]
GraphOption = Annotated[str | None, Parameter(help="The graph's name. Default: EZMSG_ZENOH_GRAPH, else `default`.")]
CertificatesOption = Annotated[
    Path | None,
    Parameter(
        help="A folder of `ezmsg server certificates`: then all is encrypted, and who has none of its certificates "
        "is not let in. The hosts are those in it, or those of --host."
    ),
]
TlsFolderOption = Annotated[
    Path | None,
    Parameter(
        help="The folder in which each host has its tls-ca.pem, tls-cert.pem and tls-key.pem. Default: where "
        "they lie in --certificates."
    ),
]
HostsOption = Annotated[
    list[str],
    Parameter(
        name="--host",
        help="A host that is let in, by the first name in its certificate. Once for each.",
        negative=(),
    ),
]
OverwriteOption = Annotated[bool, Parameter(help="Write in place of files that are there.", negative=())]
ConfigOption = Annotated[
    Path | None, Parameter(help="A configuration file of Zenoh's own for a router, taken as it is.")
]
ListenOption = Annotated[
    str | None,
    Parameter(help="Without a file: where to listen, HOST:PORT. Default: 127.0.0.1:7447, for this machine alone."),
]


@zenoh.command
def config(
    folder: FolderArgument = None,
    /,
    *,
    router: RouterOption = None,
    graph: GraphOption = None,
    certificates: CertificatesOption = None,
    tls_folder: TlsFolderOption = None,
    host: HostsOption = [],  # noqa: B006  a default of the command line, which nobody changes
    overwrite: OverwriteOption = False,
) -> int:
    """Write configuration files of Zenoh for a router and for the hosts of one graph.

    With certificates, all is encrypted, and only their holders reach the graph's keys. For example:

    ezmsg zenoh config files --router lab --certificates certificates
    """
    import os

    from ezmsg.protocol.addresses import Address
    from ezmsg.zenoh.hosts.preparing import Wish, prepared, written
    from ezmsg.zenoh.keys import DEFAULT_GRAPH, GRAPH_VARIABLE

    name = graph or os.environ.get(GRAPH_VARIABLE, "") or DEFAULT_GRAPH
    names = tuple(each.partition(",")[0].strip() for each in host)
    Address.from_string(f"zenoh:{name}")  # by which programs will name it
    files = prepared(Wish(router, name, certificates, tls_folder, names))
    if folder is None:
        for file, text in files.items():
            say([f"// --- {file}", *text.rstrip("\n").split("\n")])
    else:
        say(str(path) for path in written(folder, files, overwrite=overwrite))
        note(_next_steps(name, has_router=router is not None))
    return 0


def _next_steps(graph: str, *, has_router: bool) -> str:
    import shlex

    begin = "Run the router: ezmsg zenoh router --config router.json5. " if has_router else ""
    name = shlex.quote(f"zenoh:{graph}")
    return (
        f"{begin}On each host: export EZMSG_ZENOH_CONFIG=(its file) EZMSG_GRAPHSERVER_ADDR={name}; on one of them "
        f"`python -m ezmsg.graphserver --address {name} --token-file FILE`, then programs as ever."
    )


@zenoh.command
def router(*, config: ConfigOption = None, listen: ListenOption = None) -> int:
    """Pass messages on between hosts, in this terminal, until Ctrl-C.

    For example:

    ezmsg zenoh router --config router.json5
    """
    from ezmsg.zenoh.hosts.preparing import place_of
    from ezmsg.zenoh.hosts.router import serve

    if config is not None and listen is not None:
        note("ezmsg: Where to listen stands in the file: leave --listen out, or the file.")
        return _FAILED
    endpoints = [] if config is not None else [f"tcp/{place_of(listen or '127.0.0.1')}"]
    serve("" if config is None else str(config), endpoints, _say_where)
    return 0


def _say_where(endpoints: list[str]) -> None:
    from ezmsg.zenoh.hosts.preparing import is_open

    note(f"ezmsg: A router of Zenoh listens at {', '.join(endpoints)}, until Ctrl-C.")
    if any(map(is_open, endpoints)):
        note(
            "ezmsg: What goes through it is not encrypted, and whoever reaches it can take part. Make files by "
            "which only hosts with a certificate are let in: ezmsg zenoh config --help"
        )
