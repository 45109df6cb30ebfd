"""The streams: one worker per request, from admission to its one outcome."""

from triollama.actors.streams.actor import Streams, StreamsStatistics
from triollama.actors.streams.attempt import EndpointAccess
from triollama.actors.streams.document import DocumentInflow
from triollama.actors.streams.inflow import ChunkInflow
from triollama.actors.streams.messages import (
    Attempt,
    Call,
    OnBreak,
    Terms,
    Timing,
    Upload,
    UploadStream,
)
from triollama.actors.streams.renewal import Folds
from triollama.actors.streams.resume import Delivered, make_call
from triollama.actors.streams.retry import RetryGate
from triollama.actors.streams.services import Services
from triollama.actors.streams.stream import Stream, StreamStatistics
from triollama.actors.streams.worker import Worker

__all__ = [
    "Attempt",
    "Call",
    "ChunkInflow",
    "Delivered",
    "DocumentInflow",
    "EndpointAccess",
    "Folds",
    "OnBreak",
    "RetryGate",
    "Services",
    "Stream",
    "StreamStatistics",
    "Streams",
    "StreamsStatistics",
    "Terms",
    "Timing",
    "Upload",
    "UploadStream",
    "Worker",
    "make_call",
]
