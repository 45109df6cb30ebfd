"""Files on their way to a server: hashed once, then sent as they are read.

Memory: one piece of `PIECE_BYTES` per upload, whatever the size of the file. A file is hashed again
while it is sent, and its last piece is held back until the hash has been compared: of a file that
changed meanwhile nothing is made.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Final

import trio

from triollama._errors import RequestRejectedError, StallError, TriollamaError
from triollama.actors.streams import Call
from triollama.actors.streams.attempt import EndpointAccess
from triollama.api.blobs import blob_path
from triollama.transfers.errors import BlobChangedError, DigestMismatchError
from triollama.transfers.orders import give_order
from triollama.transfers.sources import Reading, Source, Stamp
from triollama.wire.upload import SizedStream

__all__ = ["Blob", "has_blob", "put_blob"]

PIECE_BYTES: Final = 1024 * 1024
"""One read and one send. Beyond it nothing gets faster, and as much is held per upload."""

HASH_BYTES: Final = 16 * 1024 * 1024
"""Hashed in one visit to a thread: some 10 ms, after which a cancellation is heard."""

OnBytes = Callable[[int, int], None]
"""Told so many bytes of so many."""


class Blob:
    """One file to be uploaded to any number of servers.

    Args:
        source: the file.

    Attributes:
        size_bytes: its size; 0 before `hashed`.
    """

    def __init__(self, source: Source) -> None:
        self.size_bytes = 0
        self._source = source
        self._digest = ""
        self._stamp: Stamp | None = None
        self._lock = trio.Lock()

    async def check(self) -> None:
        """Whether it can be read at all.

        Raises:
            InvalidRequestError: it cannot.
        """
        await trio.to_thread.run_sync(lambda: self._source.open().close())

    async def hashed(self, on_bytes: OnBytes) -> str:
        """Its digest. It is read once, however often this is called.

        Args:
            on_bytes: told how much of it has been read.

        Raises:
            BlobChangedError: it changed meanwhile.
            InvalidRequestError: it cannot be read.
        """
        async with self._lock:
            if not self._digest:
                self._digest = await self._hash(on_bytes)
        return self._digest

    async def _hash(self, on_bytes: OnBytes) -> str:
        reading = await trio.to_thread.run_sync(self._source.open)
        try:
            stamp = reading.stamp()
            hashing, read_bytes = hashlib.sha256(), 0
            while count := await trio.to_thread.run_sync(_hash_some, reading, hashing):
                read_bytes += count
                on_bytes(read_bytes, stamp.size_bytes)
                if read_bytes > stamp.size_bytes:
                    break  # it may grow for ever
            if reading.stamp() != stamp or read_bytes != stamp.size_bytes:
                raise BlobChangedError(self._source.name)
        finally:
            reading.close()
        self._stamp, self.size_bytes = stamp, stamp.size_bytes
        return f"sha256:{hashing.hexdigest()}"

    async def open(self, on_bytes: OnBytes) -> BlobStream:
        """Its bytes as the body of a request, after `hashed`; to be closed.

        Raises:
            BlobChangedError: it is not what it was.
            InvalidRequestError: it cannot be read any more.
        """
        assert self._stamp is not None, "it is hashed first"
        reading = await trio.to_thread.run_sync(self._source.open)
        stream = BlobStream(reading, self._stamp, self._digest, self._source.name, on_bytes)
        if reading.stamp() != self._stamp:
            stream.close()
            raise BlobChangedError(self._source.name)
        return stream


def _hash_some(reading: Reading, hashing: hashlib._Hash) -> int:
    """Hash the next `HASH_BYTES`; returns how many there were."""
    count = 0
    while count < HASH_BYTES and (piece := reading.read(PIECE_BYTES)):
        hashing.update(piece)
        count += len(piece)
    return count


class BlobStream(SizedStream):
    """A blob's bytes, piece by piece, as long as they are those that were hashed.

    Args:
        reading: gives them; closed by `close`.
        stamp: what the file was when it was hashed.
        digest: what came of that.
        name: the file's, for errors.
        on_bytes: told how many have been given.
    """

    def __init__(
        self, reading: Reading, stamp: Stamp, digest: str, name: str, on_bytes: OnBytes
    ) -> None:
        self.size_bytes = stamp.size_bytes
        self._reading = reading
        self._stamp = stamp
        self._digest = digest
        self._name = name
        self._on_bytes = on_bytes
        self._hashing = hashlib.sha256()
        self._given_bytes = 0

    def __aiter__(self) -> BlobStream:
        return self

    async def __anext__(self) -> bytes:
        """The next piece.

        Raises:
            BlobChangedError: the file is not what it was.
        """
        if self._given_bytes:
            self._on_bytes(self._given_bytes, self.size_bytes)
        if self._given_bytes == self.size_bytes:
            raise StopAsyncIteration
        piece = await trio.to_thread.run_sync(self._read)
        self._given_bytes += len(piece)
        return piece

    def _read(self) -> bytes:
        left = self.size_bytes - self._given_bytes
        piece = self._reading.read(min(PIECE_BYTES, left))
        self._hashing.update(piece)
        is_last = len(piece) == left
        is_other = is_last and f"sha256:{self._hashing.hexdigest()}" != self._digest
        if not piece or is_other or self._reading.stamp() != self._stamp:
            raise BlobChangedError(self._name)
        return piece

    def close(self) -> None:
        """Let the file go."""
        self._reading.close()


async def has_blob(access: EndpointAccess, digest: str) -> bool:
    """Whether a server has a blob.

    Raises:
        EndpointError: the endpoint failed.
    """
    return await give_order(access, Call("HEAD", blob_path(digest))) == 200


async def put_blob(
    access: EndpointAccess, blob: Blob, digest: str, stall_s: float, on_bytes: OnBytes
) -> bool:
    """Upload a blob, unless the server has it; whether it was uploaded.

    If cancelled, the connection is closed.

    Args:
        access: the endpoint.
        blob: what to upload.
        digest: its own.
        stall_s: how long one piece may take, or the answer after the last.
        on_bytes: told how much has been sent; all at once if the server has it.

    Raises:
        BlobChangedError: the file changed.
        DigestMismatchError: the server got something else.
        StallError: the server took nothing for too long.
        EndpointError: the endpoint failed.
    """
    if await has_blob(access, digest):
        on_bytes(blob.size_bytes, blob.size_bytes)
        return False
    scope = trio.CancelScope(deadline=trio.current_time() + stall_s)

    def moved(sent_bytes: int, size_bytes: int) -> None:
        scope.deadline = trio.current_time() + stall_s
        on_bytes(sent_bytes, size_bytes)

    moved(0, blob.size_bytes)
    stream = await blob.open(moved)
    try:
        with scope:
            await access.order(Call("POST", blob_path(digest)), stream)
    except RequestRejectedError as error:
        raise _refused(error, digest) from error
    finally:
        stream.close()
    if scope.cancelled_caught:
        raise StallError("stall_s", stall_s, endpoint=access.name)
    return True


def _refused(error: RequestRejectedError, digest: str) -> TriollamaError:
    if "digest mismatch" in error.message:
        return DigestMismatchError(digest, endpoint=error.endpoint)
    return error
