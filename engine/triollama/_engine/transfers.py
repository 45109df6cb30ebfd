"""Models fetched, sent and made, with progress; and the files that they are made of."""

# ruff: noqa: PLC0415 - what few programs need is imported when it is called

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, TypedDict, Unpack

from triollama._engine.base import Base
from triollama.api import MessagesInput, OptionsInput

if TYPE_CHECKING:
    from triollama.transfers import BlobInput, Site, Transfer

    Files = Mapping[str, str | BlobInput] | Sequence[BlobInput]


class CreateFields(TypedDict, total=False):
    """The optional fields of a create; see `triollama.api.create.CreateRequest`."""

    from_: str | None
    remote_host: str | None
    files: Files | None
    draft_files: Files | None
    adapters: Files | None
    quantize: str | None
    draft_quantize: str | None
    template: str | None
    license: str | Sequence[str] | None
    system: str | None
    parameters: OptionsInput
    messages: MessagesInput
    renderer: str | None
    parser: str | None
    requires: str | None
    info: Mapping[str, Any] | None


class Transfers(Base):
    """The part of `Engine` that moves models. Where they go no slot is needed, and no line waits.

    ``endpoint`` is the name of one endpoint; without it, it is done on each, side by side.
    """

    def pull(
        self,
        model: str,
        *,
        insecure: bool | None = None,
        endpoint: str | None = None,
        stall_s: float | None = None,
        restarts_max: int | None = None,
    ) -> Transfer:
        """Fetch a model from its registry, with events in ``async with``, or by ``await`` whole.

        Callers who pull the same model on the same endpoint share one transfer: if one leaves, it
        goes on for the other; when the last one leaves, or is cancelled, the connection is closed.
        The server keeps what it has, and a later pull goes on there.

        Args:
            model: the model's name.
            insecure: let the server talk plain HTTP to the registry.
            endpoint: see the class.
            stall_s: when nothing new has come for so many seconds, it is begun again (120); ten
                times as long where a server works without telling.
            restarts_max: how often in a row without a byte gained (5).

        Raises:
            TransferFailedError: the server says that it has failed; the registry has no such model,
                for instance.
            PartialFailureError: it failed on some of several endpoints.
            InvalidRequestError: an argument is wrong. All are raised where the events are read, or
                the transfer is awaited.
            TriollamaError: see the class `Engine`.
        """
        from triollama.api.transfer import PullRequest
        from triollama.transfers import open_move

        make = partial(PullRequest.make, model=model, insecure=insecure)
        return open_move(
            self._site(),
            "pull",
            make,
            endpoint=endpoint,
            stall_s=stall_s,
            restarts_max=restarts_max,
        )

    def push(
        self,
        model: str,
        *,
        insecure: bool | None = None,
        endpoint: str | None = None,
        stall_s: float | None = None,
        restarts_max: int | None = None,
    ) -> Transfer:
        """Send a model to its registry; see `pull`.

        Args:
            model: the model's name, with its namespace.
            insecure: as in `pull`.
            endpoint: as in `pull`; it makes little sense to push from more than one.
            stall_s: as in `pull`.
            restarts_max: as in `pull`.
        """
        from triollama.api.transfer import PushRequest
        from triollama.transfers import open_move

        make = partial(PushRequest.make, model=model, insecure=insecure)
        return open_move(
            self._site(),
            "push",
            make,
            endpoint=endpoint,
            stall_s=stall_s,
            restarts_max=restarts_max,
        )

    def create(
        self,
        model: str,
        *,
        endpoint: str | None = None,
        stall_s: float | None = None,
        **fields: Unpack[CreateFields],
    ) -> Transfer:
        """Make a model of another one or of files, with events or whole, as `pull`.

        Files that are here are hashed and uploaded first, from disk, a megabyte at a time; those
        that the server has are not sent again. Nothing is begun again but uploads: what a server
        has made when its connection breaks is not known.

        Args:
            model: the name that it gets.
            endpoint: as in `pull`.
            stall_s: how many seconds the server may be silent, whatever it does (3,600), and an
                upload stand (120).
            fields: see `triollama.api.create.CreateRequest`. ``files``, ``draft_files`` and
                ``adapters`` take digests of blobs as well as paths, bytes and binary files: as a
                mapping of names, or, of paths, as a list.

        Raises:
            TransferFailedError: the server says that it has failed, when it quantises for instance.
            BlobChangedError: a file changed while it was uploaded.
            DigestMismatchError: the server got other bytes than were sent.
            TriollamaError: see the class `Engine`.
        """
        from triollama.transfers import open_create

        return open_create(self._site(), model, fields, endpoint=endpoint, stall_s=stall_s)

    async def has_blob(self, digest: str, *, endpoint: str | None = None) -> bool:
        """Whether a server has a blob; without ``endpoint``, whether all have it.

        Args:
            digest: ``sha256:`` and 64 hexadecimal digits.
            endpoint: see the class.

        Raises:
            InvalidRequestError: that is no digest.
            TriollamaError: see the class `Engine`.
        """
        from triollama.api.blobs import checked_digest
        from triollama.transfers import do_on_each, has_blob

        checked = checked_digest(digest)
        has: list[bool] = []

        async def ask(access: Any) -> None:
            has.append(await has_blob(access, checked))

        await do_on_each(f"looking for {checked}", self._runtime.questions.accesses(endpoint), ask)
        return all(has)

    async def push_blob(self, source: BlobInput, *, endpoint: str | None = None) -> str:
        """Upload a file, for `create`; a server that has it is not sent it again.

        It is read from disk a megabyte at a time. If cancelled, the connection is closed.

        Args:
            source: a path, bytes, or a seekable binary file, which is read from where it stands.
            endpoint: see the class.

        Returns:
            Its digest.

        Raises:
            InvalidRequestError: it cannot be read.
            BlobChangedError: it changed while it was uploaded.
            DigestMismatchError: the server got other bytes than were sent.
            TriollamaError: see the class `Engine`.
        """
        from triollama.transfers import Blob, as_source, do_on_each, upload

        site = self._site()
        site.accesses(endpoint)  # to hash may take minutes: a wrong name is told before
        blob = Blob(as_source(source, "source"))
        digest = await blob.hashed(lambda _done, _total: None)

        async def put(access: Any) -> None:
            await upload(site, access, blob, digest)

        await do_on_each(f"the upload of {digest}", site.accesses(endpoint), put)
        return digest

    def _site(self) -> Site:
        from triollama.transfers import Site

        runtime = self._runtime
        changed: Callable[[str], None] = runtime.prober.ask_soon
        return Site(runtime.questions.accesses, runtime.errands, runtime.config, changed)
