"""The system's limit on open files, which many shells set to 1,024: too low for as many sockets."""

from __future__ import annotations

import sys
from typing import Final

from triollama_adapters.cli._failures import CliError

if sys.platform != "win32":
    import resource

__all__ = ["FILES_BESIDE", "allow_files"]

FILES_BESIDE: Final = 128
"""Open files beside the requests' sockets: the loop's own, pipes of simulators, input and output,
and connections that are being closed."""


def allow_files(count: int) -> None:
    """Allow this process, and those it starts, that many open files.

    Args:
        count: files needed; the limit is never lowered.

    Raises:
        CliError: the system allows fewer.
    """
    if sys.platform == "win32":
        return  # it has no such limit on sockets
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= count:
        return
    if hard != resource.RLIM_INFINITY and hard < count:
        raise CliError(
            f"{count:,} files would have to be open at once, but the system allows {hard:,}; "
            "lower --concurrency, or raise the limit (ulimit -Hn)"
        )
    resource.setrlimit(resource.RLIMIT_NOFILE, (count, hard))
