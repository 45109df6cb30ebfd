"""Pictures and sounds beyond what a request's ``images`` take by themselves.

Imports point downward, and nothing here knows the engine:

    fetcher | transcribing  recordings
    urls  sink  addresses
    errors
    triollama.transfers, triollama.actors, triollama.api, triollama.wire
"""

from triollama.media.errors import FetchFailedError, FetchRefusedError
from triollama.media.fetcher import Fetcher
from triollama.media.transcribing import SpeechOpening, SpeechStream

__all__ = ["FetchFailedError", "FetchRefusedError", "Fetcher", "SpeechOpening", "SpeechStream"]
