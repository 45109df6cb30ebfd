"""An engine in a thread of its own, for programs that are not trio's: blocking ones and asyncio's.

Owns the thread, its trio loop and the engine in it (`loop`), the work that other threads hand in
(`job`, `block`, `pump`), and the classes that look like the engine's own from outside (`mirror`,
`members`, `mirrors`). How a caller waits is not known here: `triollama_adapters.blocking` and
`triollama_adapters.aio` know that. `stubs` writes down for type checkers what these two offer.
"""

from triollama_adapters.portal.block import Block
from triollama_adapters.portal.job import Job, JobCancelledError
from triollama_adapters.portal.loop import Portal
from triollama_adapters.portal.mirror import Mirror
from triollama_adapters.portal.mirrors import Mirrors
from triollama_adapters.portal.pump import END, Pump

__all__ = ["END", "Block", "Job", "JobCancelledError", "Mirror", "Mirrors", "Portal", "Pump"]
