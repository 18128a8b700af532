"""The publisher's end of a channel over a socket: how it ends."""

import asyncio
from collections.abc import Callable, Iterable
from uuid import UUID

from ezmsg.core.channels.backpressure import Window
from ezmsg.core.messages.forms import Form, remembered
from ezmsg.core.transports.link import Link
from ezmsg.core.transports.sender import Sender
from ezmsg.protocol.messages.channels import ChannelEnded, ChannelForm


class LinkSender(Sender):
    """Feeds channel ``number`` of a link. ``client_id`` says whose key opened it.

    ``leaky`` says that nobody need wait for the other end, ``late`` that it has let go of nothing since a message
    was taken back from it. ``successor`` is the channel over TCP that took over what this one could not bring.
    """

    def __init__(self, window: Window, link: Link, number: int) -> None:
        super().__init__(window)
        self.link = link
        self.number = number
        self.client_id: UUID | None = None
        self.successor: LinkSender | None = None
        self.leaky = False
        self.late = False
        self._leaky_from = 0
        self._late: dict[int, int] = {}
        self._postponed: tuple[int, Callable[[], None]] | None = None
        self._awaits_room = False
        self._end_seen: asyncio.Future[None] | None = None
        self._told: dict[int, None] = {}
        self._told_last: Form | None = None

    # --- what messages have in common -----------------------------------------------------------------------

    def tell(self, form: Form) -> None:
        """Make sure that the other end knows a form before the next message."""
        if form is self._told_last:
            return
        self._told_last = form
        if form.number not in self._told:
            self._told = remembered(self._told, form.number, None)
            self.link.control(ChannelForm(self.number, form.number, form.content))

    # --- whose other end drops what it has no time for ------------------------------------------------------

    def set_leaky(self, leaky: bool, next_message: int) -> None:
        """Learn whether anybody at the other end is to be waited for.

        If so, nothing is kept back any more; if not, what has been sent may be in the hands of one who has left.
        """
        self.leaky = leaky
        self._leaky_from = next_message
        if not leaky:
            self._send_postponed()

    def postpone(self, token: int, send: Callable[[], None]) -> None:
        """Send a message when the link takes more, unless a newer one comes before."""
        self.supersede()
        self._postponed = token, send
        if not self._awaits_room:
            self._awaits_room = True
            self.link.when_writable(self._on_room)

    def supersede(self) -> None:
        """Forget the message that waits for room: a newer one goes."""
        postponed, self._postponed = self._postponed, None
        if postponed is not None:
            super().released(postponed[0])

    def _on_room(self) -> None:
        self._awaits_room = False
        self._send_postponed()

    def _send_postponed(self) -> None:
        postponed, self._postponed = self._postponed, None
        if postponed is not None:
            postponed[1]()

    def may_take_back(self, token: int) -> bool:
        """Whether the other end holds the message of a token, and all there know that it may be taken back."""
        return self.leaky and self._held.get(token, -1) >= self._leaky_from

    def take_back(self, token: int) -> None:
        """Let go of a message in the name of the other end, which may do so, too, when it comes to it."""
        if self._postponed is not None and self._postponed[0] == token:
            self._postponed = None
        else:
            self._late[token] = self._late.get(token, 0) + 1
            self.late = True
        super().released(token)

    def released(self, token: int) -> None:
        if self._late and token in self._late:
            # As often as it was sent, whichever of the messages this is about: then none of them is read any more.
            self._late[token] -= 1
            if not self._late[token]:
                del self._late[token]
            self.late = False
            return
        super().released(token)

    def released_all(self, tokens: Iterable[int]) -> None:
        if self._late:
            super().released_all(tokens)
            return
        held, release = self._held, self._window.release
        for token in tokens:
            if held.pop(token, None) is not None:
                release(token, self)

    def unresponsive(self, silence_s: float) -> str:
        return self.link.unresponsive(silence_s)

    async def end(self, next_message: int) -> int:
        """Wait until the other end says that it has read everything."""
        self._send_postponed()
        if self.successor is not None:
            return await self.successor.end(next_message)
        if self.closing:
            return 0
        self._end_seen = asyncio.get_running_loop().create_future()
        self.link.control(ChannelEnded(self.number, next_message))
        await asyncio.wait({self._end_seen, self.link.closed}, return_when=asyncio.FIRST_COMPLETED)
        if self.successor is not None:
            return await self.successor.end(next_message)
        return 0 if self._end_seen.done() else self.held

    def end_seen(self) -> None:
        """The other end has read everything, or wants no more."""
        if self._end_seen is not None and not self._end_seen.done():
            self._end_seen.set_result(None)
