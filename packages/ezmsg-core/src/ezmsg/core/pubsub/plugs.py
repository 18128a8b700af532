"""The transports of other distributions that an event loop uses, each made when somebody first asks for it."""

import asyncio
import logging
from collections.abc import Mapping

from ezmsg.core.channels.channel import Channel, Receiver
from ezmsg.core.errors import InvalidOption, TransportUnusable
from ezmsg.core.support.wording import said
from ezmsg.core.transports import plug
from ezmsg.protocol.errors import EzmsgError
from ezmsg.protocol.messages.endpoints import Source

logger = logging.getLogger("ezmsg")

CLOSE_LIMIT_S = 5.0
"""How long a transport may take to close, in seconds."""


class Plugs:
    """Offers publishers over the transport that they ask for, and opens channels by those that were offered.

    What both ends have is what is used. TCP is for those that lack it, and not for a transport that fails: who asks
    for one may do so because TCP is not to be used.
    """

    def __init__(self, home: plug.Home) -> None:
        self._home = home
        self._transports: dict[str, plug.Transport | None] = {}
        self._told: set[str] = set()

    async def offers(self, publisher: plug.Fed, name: str) -> Mapping[str, bytes]:
        """Return what a publisher lets others know that asks for a transport of this name.

        Who asks for none has the one that leads to the graph server, if that is none of ours: other hosts are
        reached by it when TCP may not reach them.

        :raises InvalidOption: if there is none.
        :raises TransportUnusable: if it cannot be used.
        """
        way = self._home.server.way
        if not name and way is not None and self._named(way[0]) is not None:
            name = way[0]
        if not name or name in plug.OWN:
            return {}
        transport = self._named(name)
        if transport is None:
            reason = f"here are {', '.join(plug.names())}; install the distribution that brings it"
            raise InvalidOption(option="transport", value=repr(name), reason=reason)
        try:
            return {name: await transport.offer(publisher)}
        except EzmsgError:
            raise
        except Exception as error:  # whatever another distribution raises
            raise TransportUnusable(name=name, distribution=name, reason=said(error)) from error

    def withdraw(self, publisher: plug.Fed) -> None:
        """A publisher is closed."""
        for transport in self._transports.values():
            if transport is None:
                continue
            try:
                transport.withdraw(publisher)
            except Exception:  # protects the publisher's own end from what another distribution raises
                logger.exception("A transport could not take %s back", publisher.topic)

    async def open(self, source: Source, receivers: list[Receiver]) -> Channel | None:
        """Open a channel over what the publisher offers; ``None`` if there is nothing here that can.

        :raises EzmsgError: if what there is fails, and so do
        :raises OSError: the errors of the network.
        """
        for name, contact in source.offers.items():
            transport = self._named(name)
            if transport is not None:
                return await _open(name, transport, source, contact, receivers)
            self._tell_missing(name, source)
        return None

    def _named(self, name: str) -> plug.Transport | None:
        if name not in self._transports:
            self._transports[name] = plug.find(name, self._home)
        return self._transports[name]

    def _tell_missing(self, name: str, source: Source) -> None:
        if name not in self._told:
            self._told.add(name)
            logger.warning(
                "%s is offered over %s, which is not installed here; TCP is used. Install the distribution that "
                "brings it, as the publisher's process %s has it.",
                *(source.topic, name, source.publisher_name),
            )

    async def close(self) -> None:
        """Close all of them, whatever one of them says."""
        transports = [transport for transport in self._transports.values() if transport is not None]
        self._transports.clear()
        closing = [asyncio.ensure_future(transport.close()) for transport in transports]
        if not closing:
            return
        done, late = await asyncio.wait(closing, timeout=CLOSE_LIMIT_S)
        for task in late:
            task.cancel()
            logger.warning("A transport did not close within %g s, and was left to itself.", CLOSE_LIMIT_S)
        for task in done:
            if (error := task.exception()) is not None:
                logger.warning("A transport was not closed in good order.", exc_info=error)


async def _open(
    name: str, transport: plug.Transport, source: Source, contact: bytes, receivers: list[Receiver]
) -> Channel:
    try:
        return await transport.open(source, contact, receivers)
    except (EzmsgError, OSError):
        raise
    except Exception as error:  # whatever another distribution raises: the route is tried again all the same
        raise TransportUnusable(name=name, distribution=name, reason=said(error)) from error
