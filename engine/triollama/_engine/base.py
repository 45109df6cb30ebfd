"""What all parts of an `Engine` stand on."""

from __future__ import annotations

from triollama._runtime import Runtime


class Base:
    """A part of `Engine`: methods on one running set of actors, and no state of its own."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
