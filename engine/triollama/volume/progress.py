"""How far a run is."""

from __future__ import annotations

import attrs

__all__ = ["Counts", "EmbedProgress"]


@attrs.frozen
class EmbedProgress:
    """A run over many texts at one moment.

    Attributes:
        texts_read: texts taken from what was given.
        texts_embedded: texts that have a vector, given or not.
        texts_failed: texts that have none.
        texts_given: places that were iterated, those of failed texts included.
        batches_held: batches that are read and not yet given.
        requests: requests that have ended, failed ones included.
        requests_running: requests under way.
        splits: batches cut in two because they failed.
        tokens: tokens of the texts that have a vector, as the servers counted them.
        tokens_per_byte: the ratio by which tokens are told before they are counted.
        elapsed_s: seconds since the block was entered, until the work was over.
        is_read: whether all texts have been read.
    """

    texts_read: int = 0
    texts_embedded: int = 0
    texts_failed: int = 0
    texts_given: int = 0
    batches_held: int = 0
    requests: int = 0
    requests_running: int = 0
    splits: int = 0
    tokens: int = 0
    tokens_per_byte: float = 0.0
    elapsed_s: float = 0.0
    is_read: bool = False

    @property
    def texts_per_s(self) -> float:
        """Vectors per second since the beginning."""
        return self.texts_embedded / self.elapsed_s if self.elapsed_s > 0 else 0.0


@attrs.define
class Counts:
    """What a run counts as it goes; see `EmbedProgress`."""

    texts_read: int = 0
    texts_embedded: int = 0
    texts_failed: int = 0
    requests: int = 0
    requests_running: int = 0
    splits: int = 0
    tokens: int = 0
    is_read: bool = False
