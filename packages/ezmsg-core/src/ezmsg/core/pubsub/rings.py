"""Moves links between processes of this host from their sockets into rings of shared memory.

    publisher's process                            subscriber's process
    hands its half over, RingOffered ------------> maps it
                         maps the other <--------- RingTaken; hands its half over, RingOffered
                      RingTaken ------------------>
                    RingFollows ------------------> reads the ring from here on
     reads the ring from here on <---------------- RingFollows

It begins when a channel has been opened, whose key signs both halves; the sockets serve meanwhile. If a half cannot
be made or mapped, or the other process knows no rings, they go on serving.
"""

import logging
from collections import deque
from collections.abc import Callable
from uuid import UUID

from ezmsg.core.errors import SegmentRefused
from ezmsg.core.support.platform import PASSES_DESCRIPTORS
from ezmsg.core.transports.handing_over import HandedSegment, hand_over
from ezmsg.core.transports.link import Link
from ezmsg.core.transports.rings.fence import WHOLE_WORDS
from ezmsg.core.transports.rings.ring import HALF_BYTES, Half, Ring
from ezmsg.core.transports.segments import Segment, SegmentForm, map_descriptor
from ezmsg.protocol.declared import declared
from ezmsg.protocol.errors import EzmsgError
from ezmsg.protocol.messages.channels import RingOffered, RingTaken

logger = logging.getLogger("ezmsg")

RINGS = 1 if PASSES_DESCRIPTORS and WHOLE_WORDS else 0
"""The form of rings that this process knows, which it says in its greeting; 0 is none."""

KEYS_LIMIT = 256
"""How many keys are known of a link that may move; one that never does opens channels for months."""

_FORM = SegmentForm(1, HALF_BYTES)


@declared(frozen=False, eq=False)
class _Moving:
    """A link that is about to move, or has moved."""

    keys: deque[bytes]  # of the channels that were opened last, one of which signs
    own: Segment | None = None
    theirs: memoryview | None = None
    ring: Ring | None = None
    answered: bool = False
    """Whether the other process was told that its half is mapped here."""
    taken: bool = False
    """Whether it has told the same of ours."""
    writes: bool = False
    reads: bool = False


class Rings:
    """What was agreed about the rings of each link.

    :param exchange_id: what the halves of this process are handed over as.
    :param receive_segments: takes what was handed over by now, of which it gives each that no channel expects to
        :meth:`handed`.
    """

    def __init__(self, exchange_id: UUID, receive_segments: Callable[[], None]) -> None:
        self._exchange_id = exchange_id
        self._receive_segments = receive_segments
        self._moving: dict[Link, _Moving] = {}

    def expect(self, link: Link, key: bytes) -> None:
        """A publisher's process may offer its half, signed with the key of a channel that is about to be opened."""
        if self._can_move(link):
            moving = self._moving.setdefault(link, _Moving(deque(maxlen=KEYS_LIMIT)))
            if moving.ring is None:
                moving.keys.append(key)

    def offer(self, link: Link, key: bytes) -> None:
        """Begin to move, if that has not begun: the other process has proved that it holds a channel's key."""
        if self._can_move(link):
            moving = self._moving.setdefault(link, _Moving(deque(maxlen=KEYS_LIMIT)))
            if moving.ring is None:
                moving.keys.append(key)
            if moving.own is None:
                self._hand_over(link, moving, key)

    def handed(self, segment: HandedSegment) -> None:
        """Map a half, if one of those handed it over whose links may move."""
        if segment.descriptor < 0 or segment.form != _FORM:
            return
        for link, moving in self._moving.items():
            if link.peer is None or link.peer.exchange_id != segment.publisher_id or moving.theirs is not None:
                continue
            for key in moving.keys:
                if segment.is_from(key):
                    try:
                        moving.theirs = map_descriptor(segment.descriptor, _FORM)
                    except (OSError, SegmentRefused) as error:
                        logger.debug("A ring cannot be mapped, and its link's socket goes on serving: %s", error)
                    moving.keys = deque([key], KEYS_LIMIT)
                    return

    def offered(self, link: Link) -> None:
        """The other process has handed its half over."""
        moving = self._moving.get(link)
        if moving is None or moving.answered:
            return
        if moving.theirs is None:
            self._receive_segments()  # it was handed over before this was said
        if moving.theirs is None:
            return
        moving.answered = True
        link.control(RingTaken())
        if moving.own is None:
            self._hand_over(link, moving, moving.keys[0])
        self._move(link, moving)

    def taken(self, link: Link) -> None:
        """The other process has mapped this one's half."""
        moving = self._moving.get(link)
        if moving is not None and moving.own is not None:
            moving.taken = True
            self._move(link, moving)

    def follows(self, link: Link) -> None:
        """What the other process says next is in its half.

        It says so once it has both answers; this side has them before, and writes into its own half by then.

        :raises ValueError: if that was not agreed, or was said before.
        """
        moving = self._moving.get(link)
        if moving is None or not moving.writes or moving.reads:
            raise ValueError("it writes into a ring that was never agreed upon")
        moving.reads = True
        link.read_ring(_ring(moving))

    def lost(self, link: Link) -> None:
        """A link is gone."""
        self._moving.pop(link, None)

    def _can_move(self, link: Link) -> bool:
        if link.closed.done():
            return False
        return bool(RINGS and link.same_host and link.peer is not None and link.peer.rings == RINGS)

    def _hand_over(self, link: Link, moving: _Moving, key: bytes) -> None:
        assert link.peer is not None
        try:
            own = Segment(0, _FORM)
            own.claim(0, HALF_BYTES)
        except (OSError, EzmsgError) as error:
            logger.debug("A ring cannot be made, and its link's socket goes on serving: %s", error)
            return
        if hand_over(link.peer.exchange_id, self._exchange_id, key, own):
            own.close()  # the maps are what is used
            moving.own = own
            link.control(RingOffered())

    def _move(self, link: Link, moving: _Moving) -> None:
        if moving.taken and moving.answered and not moving.writes:
            moving.writes = True
            link.write_ring(_ring(moving))


def _ring(moving: _Moving) -> Ring:
    if moving.ring is None:
        assert moving.own is not None
        assert moving.theirs is not None
        moving.ring = Ring(Half(moving.own.memory), Half(moving.theirs))
    return moving.ring
