"""The metadata that a client has read already, by digest: what has not changed is neither sent nor decoded again.

The components in it are the same objects in every snapshot that shows them, and so not to be changed. To copy them
each time would take as long as the public package takes for its whole snapshot; see decision 0012.
"""

from dataclasses import replace
from typing import NamedTuple

from ezmsg.protocol.messages.sessions import SnapshotTaken
from ezmsg.protocol.model.metadata import GraphMetadata
from ezmsg.protocol.model.snapshot import GraphSnapshot
from ezmsg.protocol.snapshots.compact import expand
from ezmsg.protocol.snapshots.encoded_metadata import decode_metadata

KEPT_BYTES = 32 * 1024 * 1024
"""How much is kept at most, by its encoded size; what is beyond is read anew each time."""


class Known(NamedTuple):
    """Metadata, and how many bytes it takes encoded."""

    metadata: GraphMetadata
    size: int


class KnownMetadata:
    """Keeps the metadata of the last snapshot that was read, as far as there is room."""

    def __init__(self, kept_bytes: int = KEPT_BYTES) -> None:
        self._kept_bytes = kept_bytes
        self._known: dict[bytes, Known] = {}

    def held(self) -> dict[bytes, Known]:
        """Return what is known now; the answer to a request that names its digests is read with it."""
        return self._known  # never changed, only replaced

    def expand(self, taken: SnapshotTaken, held: dict[bytes, Known]) -> GraphSnapshot:
        """Return the snapshot of a server's answer, and keep its metadata for the next.

        :param held: what :meth:`held` returned when it was asked for.
        :raises InvalidMessage: if the answer contradicts itself.
        """
        if taken.compact is None:  # the server knows no digests
            return taken.snapshot
        found: dict[bytes, Known] = {}
        for shown in taken.compact.sessions:
            if shown.digest is None or shown.digest in found:
                continue
            if shown.metadata is not None:
                found[shown.digest] = Known(decode_metadata(shown.metadata), len(shown.metadata))
            elif shown.digest in held:
                found[shown.digest] = held[shown.digest]
        snapshot = expand(taken, {digest: known.metadata for digest, known in found.items()})
        for session in snapshot.sessions.values():
            if session.metadata is not None:
                session.metadata = replace(session.metadata, components=session.metadata.components.copy())
        self._known = self._that_fits(found)
        return snapshot

    def _that_fits(self, found: dict[bytes, Known]) -> dict[bytes, Known]:
        kept: dict[bytes, Known] = {}
        room = self._kept_bytes
        for digest, known in found.items():
            if known.size <= room:
                kept[digest] = known
                room -= known.size
        return kept
