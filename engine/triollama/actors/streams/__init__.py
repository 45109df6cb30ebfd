"""The streams: one worker per request, from admission to its one outcome."""

from triollama.actors.streams.actor import Streams, StreamsStatistics
from triollama.actors.streams.attempt import EndpointAccess
from triollama.actors.streams.document import DocumentInflow
from triollama.actors.streams.inflow import ChunkInflow
from triollama.actors.streams.messages import Attempt, Call, Terms, Timing
from triollama.actors.streams.stream import Stream
from triollama.actors.streams.worker import Services, Worker

__all__ = [
    "Attempt",
    "Call",
    "ChunkInflow",
    "DocumentInflow",
    "EndpointAccess",
    "Services",
    "Stream",
    "Streams",
    "StreamsStatistics",
    "Terms",
    "Timing",
    "Worker",
]
