"""The publishers' side of the channel conversation: who may hear us, after they have proved it."""

import asyncio
import logging
import os
import time
from collections.abc import Callable, Mapping
from functools import partial
from uuid import UUID

from ezmsg.core.pubsub.rings import Rings
from ezmsg.core.pubsub.roles import Feeding
from ezmsg.core.support.platform import PASSES_DESCRIPTORS
from ezmsg.core.transports.handing_over import hand_over
from ezmsg.core.transports.link import Link
from ezmsg.core.transports.link_sender import LinkSender
from ezmsg.core.transports.segments import Segment
from ezmsg.core.transports.shared_memory import SharedMemorySender
from ezmsg.core.transports.tcp import TcpSender
from ezmsg.protocol.declared import declared
from ezmsg.protocol.messages.channels import (
    ChannelChallenge,
    ChannelCut,
    ChannelEnded,
    ChannelEndSeen,
    ChannelLeaky,
    ChannelLeakyHeard,
    ChannelOpened,
    ChannelProof,
    ChannelRefused,
    CloseChannel,
    OpenChannel,
    SegmentNamed,
)
from ezmsg.protocol.wire import auth

logger = logging.getLogger("ezmsg")

ASKING_LIMIT = 1024
"""How many channels of one link may be between question and proof."""

WARN_AGAIN_S = 10.0
"""Seconds between two warnings about strangers."""


@declared
class _Asking:
    """Somebody who has yet to prove that it may hear a publisher."""

    publisher: Feeding
    key: bytes
    expected_proof: bytes
    client_id: UUID
    resume_at: int | None


@declared
class _Admitted:
    """A channel that is open."""

    publisher: Feeding
    sender: LinkSender


class Admission:
    """Answers those who want to hear the publishers of this exchange."""

    def __init__(self, publishers: Mapping[UUID, Feeding], rings: Rings) -> None:
        self._publishers = publishers
        self._rings = rings
        self._asking: dict[Link, dict[int, _Asking]] = {}
        self._admitted: dict[Link, dict[int, _Admitted]] = {}
        self._strangers = 0
        self._warned_s = -WARN_AGAIN_S

    def lost(self, link: Link) -> None:
        """A link is gone: nobody at its end holds anything any more."""
        self._asking.pop(link, None)
        for admitted in self._admitted.pop(link, {}).values():
            admitted.publisher.detach(admitted.sender)
            admitted.sender.abandon()
        for sender in link.fed.values():
            sender.abandon()

    def open(self, link: Link, message: OpenChannel) -> bool:
        """Prove ourselves first, and ask for the same; return whether a publisher of ours was asked for."""
        publisher = self._publishers.get(message.publisher_id)
        asking = self._asking.setdefault(link, {})
        reason = self._objection(link, message)
        if publisher is None or reason:
            link.control(ChannelRefused(message.number, reason))
            return False
        key = auth.channel_key(publisher.secret, message.publisher_id.bytes + message.client_id.bytes)
        nonce = os.urandom(auth.NONCE_SIZE)
        expected = auth.client_proof(key, message.nonce, nonce)
        asking[message.number] = _Asking(publisher, key, expected, message.client_id, message.resume_at)
        proof = auth.server_proof(key, message.nonce, nonce)
        link.control(ChannelChallenge(message.number, nonce, proof, publisher.window.size))
        return True

    def prove(self, link: Link, message: ChannelProof) -> bool:
        """Begin to feed a channel if its other end holds the key; return whether it does."""
        asking = self._asking.get(link, {}).pop(message.number, None)
        if asking is None or not auth.same(asking.expected_proof, message.proof):
            link.control(ChannelRefused(message.number, "the proof is wrong"))
            if not link.proven:
                link.close()
            self._warn_of_stranger()
            return False
        link.trust()
        publisher = asking.publisher
        if self._publishers.get(publisher.id) is not publisher:
            link.control(ChannelRefused(message.number, "it has no such publisher any more"))
            return True
        sender = self._sender(link, message.number, publisher, asking.key)
        sender.exchange_id = None if link.peer is None else link.peer.exchange_id
        sender.client_id = asking.client_id
        old = _left_by(sender, publisher)
        link.fed[message.number] = sender
        self._admitted.setdefault(link, {})[message.number] = _Admitted(publisher, sender)
        if asking.resume_at is None or old is None or not isinstance(sender, TcpSender):
            link.control(ChannelOpened(message.number, publisher.next_message))
            publisher.attach(sender)
        else:
            link.control(ChannelOpened(message.number, asking.resume_at))
            self._admitted.get(old.link, {}).pop(old.number, None)
            publisher.move(old, sender, asking.resume_at)
            if not old.held:
                old.link.stop_feeding(old.number)
        self._rings.offer(link, asking.key)
        return True

    def close(self, link: Link, message: CloseChannel) -> None:
        """Send no more, and say so; what the other end holds, it will still release."""
        self._asking.get(link, {}).pop(message.number, None)
        admitted = self._admitted.get(link, {}).pop(message.number, None)
        if admitted is None:
            link.control(ChannelEnded(message.number, 0))
            return
        admitted.publisher.detach(admitted.sender)
        link.control(ChannelEnded(message.number, admitted.publisher.next_message))
        admitted.sender.end_seen()
        admitted.sender.closing = True
        if not admitted.sender.held:
            link.stop_feeding(message.number)

    def leaky(self, link: Link, message: ChannelLeaky) -> None:
        """Those at the other end drop what they have no time for, or somebody there does not."""
        admitted = self._admitted.get(link, {}).get(message.number)
        if admitted is not None:
            admitted.sender.set_leaky(message.leaky, admitted.publisher.next_message)
        link.control(ChannelLeakyHeard(message.number))

    def cut_off(self, publisher: Feeding, sender: LinkSender, reason: str) -> None:
        """Feed a channel no more, and count on nothing from its other end."""
        self._admitted.get(sender.link, {}).pop(sender.number, None)
        publisher.detach(sender)
        sender.link.control(ChannelCut(sender.number, reason))
        sender.abandon()
        sender.link.stop_feeding(sender.number)

    def end_seen(self, link: Link, message: ChannelEndSeen) -> None:
        """The other end has read everything that a closing publisher sent."""
        sender = link.fed.get(message.number)
        if isinstance(sender, LinkSender):
            sender.end_seen()

    def forget(self, publisher: Feeding) -> None:
        """A publisher is closed."""
        for link, channels in self._admitted.items():
            for number in [n for n, admitted in channels.items() if admitted.publisher is publisher]:
                channels.pop(number).sender.abandon()  # nobody shall wait for a release that means nothing now
                link.stop_feeding(number)

    def _warn_of_stranger(self) -> None:
        self._strangers += 1
        if time.monotonic() - self._warned_s >= WARN_AGAIN_S:
            self._warned_s = time.monotonic()
            logger.warning(
                "Somebody without the key of its channel asked for messages, and was refused (%d so far).",
                self._strangers,
            )

    def _objection(self, link: Link, message: OpenChannel) -> str:
        asking = self._asking[link]
        if message.publisher_id not in self._publishers:
            return "it has no such publisher (any more)"
        if len(asking) >= ASKING_LIMIT:
            return "too many ask at a time"
        if link.peer is None:
            return "who asks has not said who it is"
        if message.number in asking or message.number in link.fed or not 0 <= message.number < 2**32:
            return f"it cannot be channel {message.number}"
        return ""

    def _sender(self, link: Link, number: int, publisher: Feeding, key: bytes) -> LinkSender:
        if not link.same_host:
            return TcpSender(publisher.window, link, number)
        give: Callable[[Segment], bool]
        if PASSES_DESCRIPTORS and link.peer is not None:
            give = partial(hand_over, link.peer.exchange_id, publisher.id, key)
        else:
            give = partial(_name_segment, link, number)
        return SharedMemorySender(publisher.window, link, number, give, asyncio.get_running_loop().call_later)


def _left_by(sender: LinkSender, publisher: Feeding) -> SharedMemorySender | None:
    """Return the channel of shared memory that leads to the same subscribers, if there is one."""
    for other in publisher.senders:
        if not isinstance(other, SharedMemorySender):
            continue
        if (other.client_id, other.exchange_id) == (sender.client_id, sender.exchange_id):
            return other
    return None


def _name_segment(link: Link, number: int, segment: Segment) -> bool:
    assert segment.path is not None
    form = segment.form
    link.control(SegmentNamed(number, segment.number, segment.path.name, form.slot_bytes, form.slots))
    return True
