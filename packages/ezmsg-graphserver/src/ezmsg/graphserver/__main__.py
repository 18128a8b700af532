"""The command: ``python -m ezmsg.graphserver --address HOST:PORT``."""

import argparse
import asyncio
import contextlib
import logging
import os
import signal
import sys
from collections.abc import Callable, Sequence
from importlib.metadata import distributions

from ezmsg.graphserver.serving import start_server
from ezmsg.graphserver.sockets.descriptors import occupy_standard_descriptors
from ezmsg.graphserver.sockets.loops import run
from ezmsg.graphserver.sockets.tokens import read_token
from ezmsg.protocol.addresses import ADDRESS_VARIABLE, DEFAULT_HOST, DEFAULT_PORT, Address
from ezmsg.protocol.announcement import TOKEN_FILE_VARIABLE
from ezmsg.protocol.errors import EzmsgError, InvalidAddress
from ezmsg.protocol.surroundings.exact_options import ExactParser
from ezmsg.protocol.surroundings.parts import version_text
from ezmsg.protocol.surroundings.visible import visible_lines
from ezmsg.protocol.wire.tls.files import (
    AUTHORITY_NAME,
    AUTHORITY_VARIABLE,
    CERTIFICATE_NAME,
    CERTIFICATE_VARIABLE,
    KEY_NAME,
    KEY_VARIABLE,
    TlsFiles,
    find_files,
)

logger = logging.getLogger("ezmsg.graphserver")

LOG_FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until SIGINT, SIGTERM or a client's request; return the exit status.

    0 after a clean end, 1 if it could not start, 2 for a wrong command line.
    """
    options = _parser().parse_args(arguments)
    occupy_standard_descriptors()
    if options.version:
        sys.stdout.write(f"{version_text('ezmsg-graphserver', distributions())}\n")
        return 0
    try:
        _set_up_logging(options.log_level, options.log_file)
        token = None if options.token_file is None else read_token(options.token_file)
        tls = _tls_files(options)
        address = options.address or Address.from_string(os.environ.get(ADDRESS_VARIABLE) or _default_address())
        run(_serve(address, token, options.insecure, options.metrics, options.state, tls, options.also))
    except EzmsgError as error:
        sys.stderr.write(f"{visible_lines(str(error))}\n")
        return 1
    except KeyboardInterrupt:  # on systems whose loops take no signal handlers, or before ours is in place
        return 0
    return 0


async def _serve(
    address: Address,
    token: str | None,
    insecure: bool,
    metrics: Address | None,
    state: str | None,
    tls: TlsFiles | None,
    also: Address | None,
) -> None:
    # Before there is anything to clean up, so that no signal finds a server without its handlers.
    early = asyncio.Event()
    _on_signals(early.set)
    server = await start_server(address, token, insecure, metrics=metrics, state=state, tls=tls, also=also)
    _on_signals(server.stop)
    if early.is_set():
        server.stop()
    name = "" if server.also is None else f", and as {server.also}"
    logger.info("The graph server is ready at %s%s", server.address, name)
    await server.run()
    logger.info("The graph server at %s has ended", server.address)


def _on_signals(action: Callable[[], None]) -> None:
    ends = [signal.SIGINT, signal.SIGTERM]
    if hasattr(signal, "SIGHUP") and signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        ends.append(signal.SIGHUP)
    for number in ends:
        with contextlib.suppress(NotImplementedError):  # Windows: a KeyboardInterrupt ends it there
            asyncio.get_running_loop().add_signal_handler(number, action)


def _parser() -> argparse.ArgumentParser:
    parser = ExactParser(
        prog="ezmsg-graphserver",
        description="Serve the graph of an ezmsg system: who publishes what to whom.",
        epilog="Clients need the same token, by EZMSG_TOKEN or EZMSG_TOKEN_FILE. Without one, a server on loopback "
        "makes one up, and programs of the same user find it by themselves.",
    )
    parser.add_argument(
        "--address",
        metavar="HOST:PORT",
        type=_address,
        help=f"where to listen; default {ADDRESS_VARIABLE}, else {_default_address()}; port 0 takes a free one",
    )
    parser.add_argument(
        "--also",
        metavar="WAY:NAME",
        type=_address,
        help="a name by which clients find it, too: zenoh:lab, where ezmsg-zenoh is installed; it takes a token",
    )
    parser.add_argument(
        "--insecure",
        action="store_true",
        help="let everybody in if no token is given, and let others read --metrics",
    )
    parser.add_argument(
        "--metrics",
        metavar="HOST:PORT",
        type=_address,
        help="where to serve what is counted, as OpenMetrics at http://HOST:PORT/metrics, to everybody who can "
        "connect; :PORT is loopback only, and beyond it takes --insecure; off by default",
    )
    parser.add_argument("--token-file", metavar="FILE", help="a file that holds the token clients must have")
    beside = "default: the file of %s, else {} beside the token's file"
    parser.add_argument(
        "--tls-cert",
        metavar="FILE",
        help="this host's certificate, by which clients check the server; from then on they are let in by TLS 1.3 "
        f"alone; {beside.format(CERTIFICATE_NAME) % CERTIFICATE_VARIABLE}",
    )
    parser.add_argument("--tls-key", metavar="FILE", help=f"its key; {beside.format(KEY_NAME) % KEY_VARIABLE}")
    parser.add_argument(
        "--tls-ca",
        metavar="FILE",
        help="the certificate of the authority that made it, which clients have, too; "
        f"{beside.format(AUTHORITY_NAME) % AUTHORITY_VARIABLE}",
    )
    parser.add_argument(
        "--state",
        metavar="FILE",
        help="a file for what is to survive the server: persistent edges, and settings that operators made; it is "
        "made if there is none",
    )
    parser.add_argument("--log-file", metavar="FILE", help="append the log to a file instead of standard error")
    parser.add_argument("--version", action="store_true", help="say which parts are installed, and go")
    parser.add_argument("--log-level", metavar="LEVEL", type=_level, help="DEBUG, INFO (default), WARNING or ERROR")
    return parser


def _tls_files(options: argparse.Namespace) -> TlsFiles | None:
    """Return the files for TLS that the command line or the environment names, or that lie beside the token's.

    :raises TlsUnusable: if one is missing.
    """
    beside = options.token_file or os.environ.get(TOKEN_FILE_VARIABLE)
    return find_files(
        os.environ, beside, authority=options.tls_ca, certificate=options.tls_cert, key=options.tls_key
    )


def _default_address() -> str:
    return f"{DEFAULT_HOST}:{DEFAULT_PORT}"


def _address(text: str) -> Address:
    try:
        return Address.from_string(text)
    except InvalidAddress as error:
        raise argparse.ArgumentTypeError(error.sentence()) from error


def _level(text: str) -> int:
    level = logging.getLevelNamesMapping().get(text.upper())
    if level is None:
        raise argparse.ArgumentTypeError(f"{text!r} is not one of DEBUG, INFO, WARNING and ERROR.")
    return level


def _set_up_logging(level: int | None, file: str | None) -> None:
    if level is None:
        level = logging.getLevelNamesMapping().get(os.environ.get("EZMSG_LOGLEVEL", "").upper(), logging.INFO)
    try:
        handler = logging.StreamHandler() if file is None else logging.FileHandler(file, encoding="utf-8")
    except OSError as error:
        _parser().error(f"The log file {file} cannot be written to: {error.strerror}.")
    logging.basicConfig(level=level, format=LOG_FORMAT, handlers=[handler])


if __name__ == "__main__":
    sys.exit(main())
