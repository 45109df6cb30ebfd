"""What is told of a transfer while it runs, and at its end."""

from __future__ import annotations

from typing import Literal

import attrs

__all__ = ["EndpointTransfer", "Phase", "TransferEvent", "TransferKind", "TransferResult"]

TransferKind = Literal["pull", "push", "create"]

Phase = Literal[
    "manifest", "transfer", "verify", "write", "clean", "convert", "layer", "done",
    "hash", "upload", "restart", "other",
]  # fmt: skip
"""What is being done; see `TransferEvent`."""


@attrs.frozen(kw_only=True)
class TransferEvent:
    """One step of a pull, a push or a create.

    ==========  ==================================================================
    phase       what is being done
    ==========  ==================================================================
    manifest    the list of layers is fetched or sent
    transfer    a layer is fetched or sent
    verify      the server checks what it has
    write       the model gets its name
    clean       layers that nothing uses any more are removed
    convert     files are read, converted, quantised
    layer       a layer of a new model is made or found
    done        all is done; the last event of an endpoint
    hash        a local file is read, before its upload
    upload      a local file is uploaded; at once whole if the server has it
    restart     nothing came any more, or the connection broke; it is begun again
    other       what the server says is not known here
    ==========  ==================================================================

    Attributes:
        endpoint: the endpoint's name; empty while a local file is hashed.
        model: the model's name.
        kind: ``pull``, ``push`` or ``create``.
        status: what is being done, in the server's words, or ours for hash, upload and restart.
        phase: the same in the words of the table.
        digest: of the layer or blob; empty where none is meant.
        total: its bytes; None where not told.
        completed: how many of them are done; 0 where not told.
        rate_bytes_per_s: bytes per second in the last few seconds, by this process's clock; None
            until it can be told, and where there are no bytes. What was there before does not
            count.
        attempt: 1, and one more after each restart.
    """

    endpoint: str
    model: str
    kind: TransferKind
    status: str
    phase: Phase
    digest: str = ""
    total: int | None = None
    completed: int = 0
    rate_bytes_per_s: float | None = None
    attempt: int = 1

    @property
    def share(self) -> float | None:
        """How much of the layer is done, from 0 to 1; None where that is not told."""
        if not self.total:
            return None
        return min(1.0, self.completed / self.total)


@attrs.frozen(kw_only=True)
class EndpointTransfer:
    """How a transfer went on one endpoint.

    Attributes:
        endpoint: the endpoint's name.
        moved_bytes: bytes that were transferred meanwhile, of all layers; what was there before
            does not count.
        restarts: how often it was begun again.
        took_s: seconds from its beginning to its end; it may have begun before this caller asked.
        digests: the layers, in the order in which they were told.
    """

    endpoint: str
    moved_bytes: int
    restarts: int
    took_s: float
    digests: tuple[str, ...]


@attrs.frozen(kw_only=True)
class TransferResult:
    """A pull, push or create that was done on every endpoint that was asked.

    Attributes:
        kind: ``pull``, ``push`` or ``create``.
        model: the model's name.
        endpoints: how it went on each, in the configured order.
    """

    kind: TransferKind
    model: str
    endpoints: tuple[EndpointTransfer, ...]

    @property
    def moved_bytes(self) -> int:
        """Bytes that were transferred, to or from all endpoints together."""
        return sum(each.moved_bytes for each in self.endpoints)
