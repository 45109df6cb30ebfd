"""A body that is hashed while it comes, so that a blob of any size takes no memory.

Owns the running digest and the first bytes, which are all that is kept.
"""

from __future__ import annotations

import hashlib

__all__ = ["HEAD_BYTES", "Upload"]

HEAD_BYTES = 16 * 1024
"""First bytes kept of a blob: the metadata of a GGUF file that create looks at stand there."""


class Upload:
    """A body on its way.

    Attributes:
        size: bytes so far.
        head: the first of them, `HEAD_BYTES` at most.
    """

    def __init__(self) -> None:
        self._hash = hashlib.sha256()
        self.size = 0
        self.head = b""

    def feed(self, data: bytes) -> None:
        """Take the next bytes."""
        self._hash.update(data)
        self.size += len(data)
        if len(self.head) < HEAD_BYTES:
            self.head += data[: HEAD_BYTES - len(self.head)]

    @property
    def digest(self) -> str:
        """Of the bytes so far: ``sha256:`` and 64 hex digits."""
        return f"sha256:{self._hash.hexdigest()}"
