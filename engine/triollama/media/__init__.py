"""Pictures and sounds beyond what a request's ``images`` take by themselves.

Imports point downward, and nothing here knows the engine:

    fetcher
    addresses  errors
    triollama.api, triollama.wire
"""

from triollama.media.errors import FetchFailedError, FetchRefusedError
from triollama.media.fetcher import Fetcher

__all__ = ["FetchFailedError", "FetchRefusedError", "Fetcher"]
