"""A job's figures as they are stored beside its journal's groups: JSON, of some KiB. No IO."""

from __future__ import annotations

import msgspec

from triollama_adapters.batch.figures.snapshot import Snapshot

__all__ = ["Stored", "read_snapshot", "read_stored"]


class Stored(msgspec.Struct):
    """What a later run goes on with, and an onlooker reads.

    Attributes:
        snapshot: the last figures.
        buckets: of each histogram, by its name, as `Histogram.buckets`.
        messages: what the first failure of each kind said.
    """

    snapshot: Snapshot
    buckets: dict[str, tuple[tuple[int, int], ...]]
    messages: dict[str, str]

    def encode(self) -> bytes:
        """As bytes."""
        return _encode(self)


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Stored).decode


def read_snapshot(data: bytes | None) -> Snapshot | None:
    """The last figures of a job that were stored; None if there are none that can be read."""
    stored = read_stored(data)
    return None if stored is None else stored.snapshot


def read_stored(data: bytes | None) -> Stored | None:
    """What was stored; None also of another version's, for nothing depends on these figures."""
    if data is None:
        return None
    try:
        return _decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
