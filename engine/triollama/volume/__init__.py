"""Vectors of many texts: in batches, over the whole fleet, in the order of the texts.

It knows the engine only as something that embeds a few texts (`working.Ask`).

Downwards: ``run`` (the reader's side) → ``working`` (the tasks) → ``batches`` (what is decided) →
``errors``; ``source`` reads what the caller gives.
"""

from .batches import Vector
from .errors import FailedText, TextFailedError
from .progress import EmbedProgress
from .rules import VolumeRules
from .run import EmbedRun

__all__ = [
    "EmbedProgress",
    "EmbedRun",
    "FailedText",
    "TextFailedError",
    "Vector",
    "VolumeRules",
]
