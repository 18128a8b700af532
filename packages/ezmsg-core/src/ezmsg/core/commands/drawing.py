"""``graphviz`` and ``mermaid``: the graph as the source of a drawing, or as the drawing in a browser."""

import base64
import json
import sys
import webbrowser
import zlib

from ezmsg.core.context.service import GraphService
from ezmsg.core.errors import UnknownCommand
from ezmsg.protocol.addresses import Address

_TARGETS = {
    "ink": "https://mermaid.ink/img/pako:",
    "live": "https://mermaid.live/edit#pako:",
    "play": "https://www.mermaidchart.com/play#pako:",
}


async def graphviz(address: Address, compact: int | None = None) -> None:
    """Write the graph for Graphviz to standard output; ``compact`` is how many levels of detail to leave out."""
    sys.stdout.write(await GraphService(address).get_formatted_graph("graphviz", compact_level=compact))


async def mermaid(
    address: Address, target: str = "live", compact: int | None = None, nobrowser: bool = False
) -> None:
    """Show the graph in a browser, or write it for Mermaid to standard output.

    :param target: the site that draws it: ``live`` and ``play`` draw it in the browser, ``ink`` on its server.
    :param nobrowser: write instead of showing; so it is, too, if there is no browser.
    :raises UnknownCommand: if the target is another.
    """
    if target not in _TARGETS:
        raise UnknownCommand(given=target, choices=sorted(_TARGETS))
    drawing = await GraphService(address).get_formatted_graph("mermaid", compact_level=compact)
    if nobrowser or not webbrowser.open(mermaid_url(drawing, target)):
        sys.stdout.write(drawing)


def mermaid_url(drawing: str, target: str) -> str:
    """Return the address of a page that shows a drawing; the drawing is in the address itself."""
    state = json.dumps({"code": drawing, "mermaid": {"theme": "default"}})
    return _TARGETS[target] + base64.urlsafe_b64encode(zlib.compress(state.encode(), 9)).decode()
