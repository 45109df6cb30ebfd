"""Models that are made: their files found, hashed and uploaded, then the request itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final

import attrs
import trio

from triollama._errors import InvalidRequestError, TriollamaError
from triollama.actors.errands import Errand
from triollama.actors.streams.attempt import EndpointAccess
from triollama.api.blobs import checked_digest, is_digest
from triollama.api.create import CreateRequest, check_file_name
from triollama.transfers.blobs import Blob, put_blob
from triollama.transfers.core import RestartRule
from triollama.transfers.events import EndpointTransfer, TransferEvent
from triollama.transfers.opening import RESTARTS_MAX, STALL_S, Site, checked_stall, progress_call
from triollama.transfers.progress import Part, Progress, Transfer
from triollama.transfers.running import Carrier
from triollama.transfers.sources import as_source

__all__ = ["CREATE_STALL_S", "open_create", "upload"]

CREATE_STALL_S: Final = 3_600.0
"""A server may convert a large model for many minutes without a word."""

_PLACEHOLDER: Final = "sha256:" + "0" * 64
"""Stands for the digest of a file that has not been read yet, to check everything else first."""

_FILES: Final = ("files", "draft_files", "adapters")


def open_create(
    site: Site,
    model: str,
    fields: Mapping[str, Any],
    *,
    endpoint: str | None,
    stall_s: float | None,
) -> Transfer:
    """A create, which uploads files that are here first.

    Args:
        site: the engine.
        model: the name that the model gets.
        fields: as of `CreateRequest`, but that files may be local ones.
        endpoint: the name of one endpoint; None is each.
        stall_s: how long the server may be silent; by default `CREATE_STALL_S`.
    """

    async def prepare() -> Progress:
        await trio.lowlevel.checkpoint()
        making = await _prepare(site, model, fields, stall_s)
        parts = [
            Part(access.name, object(), partial(making.work, access))
            for access in site.accesses(endpoint)
        ]
        return Progress("create", making.request.model, parts)

    return Transfer(site.errands, prepare)


async def _prepare(
    site: Site, model: str, fields: Mapping[str, Any], stall_s: float | None
) -> _Making:
    """Check everything, before anything is read or sent."""
    blobs = {name: _blobs(fields.get(name), name) for name in _FILES}
    checked = {name: _with_digests(each, {}) for name, each in blobs.items()}
    making = _Making(
        site,
        CreateRequest(model=model, **{**fields, **checked}),
        blobs,
        checked_stall(stall_s, STALL_S),
        checked_stall(stall_s, CREATE_STALL_S),
    )
    for blob in making.local:
        await blob.check()
    return making


@attrs.frozen
class _Making:
    """One create, for any number of endpoints.

    Attributes:
        site: the engine.
        request: the request, but that files that are here have no digests yet.
        blobs: the files of each field.
        upload_s: how long an upload may stand.
        stall_s: how long the server may be silent.
    """

    site: Site
    request: CreateRequest
    blobs: Mapping[str, Mapping[str, str | Blob]]
    upload_s: float
    stall_s: float

    @property
    def local(self) -> list[Blob]:
        """The files that are here."""
        each = [blob for blobs in self.blobs.values() for blob in blobs.values()]
        return [blob for blob in each if isinstance(blob, Blob)]

    async def work(self, access: EndpointAccess, errand: Errand[TransferEvent]) -> EndpointTransfer:
        """Do it on one endpoint."""
        carrier = self.site.carrier(
            access,
            "create",
            self.request.model,
            stall_s=self.upload_s,
            restarts_max=RESTARTS_MAX,
            tell=errand.tell,
        )
        digests = {blob: await _upload(carrier, blob) for blob in self.local}
        known: dict[str, Any] = {
            name: _with_digests(each, digests) for name, each in self.blobs.items()
        }
        made = attrs.evolve(self.request, **known)
        carrier.stall_s = self.stall_s
        carrier.rule = RestartRule(0)  # what it has made so far nobody knows
        result = await carrier.carry(progress_call(made.path, made.model, made.body()))
        self.site.models_changed(access.name)
        return result


async def upload(site: Site, access: EndpointAccess, blob: Blob, digest: str) -> None:
    """Upload a blob to one endpoint, again if the connection broke.

    Raises:
        TriollamaError: it could not be uploaded; see `put_blob`.
    """
    carrier = site.carrier(
        access,
        "create",
        digest,
        stall_s=STALL_S,
        restarts_max=RESTARTS_MAX,
        tell=lambda _: None,
    )
    await _put(carrier, blob, digest)


async def _upload(carrier: Carrier, blob: Blob) -> str:
    """Hash and upload one file; returns its digest."""
    digest = await blob.hashed(lambda done, total: carrier.tell(carrier.track.hashing(total, done)))
    await _put(carrier, blob, digest)
    return digest


async def _put(carrier: Carrier, blob: Blob, digest: str) -> None:
    def on_bytes(done: int, total: int) -> None:
        carrier.was_reached = True
        now_s = trio.current_time()
        carrier.tell(carrier.track.uploading(digest, total, done, now_s))

    while True:
        try:
            await put_blob(carrier.access, blob, digest, carrier.stall_s, on_bytes)
        except TriollamaError as error:
            await carrier.wait_restart(error)
        else:
            return


def _blobs(given: object, where: str) -> dict[str, str | Blob]:
    """The files of one field by their names on the server: digests, or what has yet to be read."""
    if given is None:
        return {}
    if isinstance(given, Sequence) and not isinstance(given, str | bytes):
        given = {_file_name(each, where): each for each in given}
    if not isinstance(given, Mapping):
        raise InvalidRequestError(
            f"{where} must be a list of paths, or a mapping of names to paths or digests"
        )
    return {
        check_file_name(name, where): checked_digest(each)
        if is_digest(each)
        else Blob(as_source(each, f"{where}[{name!r}]"))
        for name, each in given.items()
    }


def _file_name(path: object, where: str) -> str:
    if not isinstance(path, str | Path):
        raise InvalidRequestError(f"{where} must be paths where they have no names")
    return Path(path).name


def _with_digests(
    blobs: Mapping[str, str | Blob], digests: Mapping[Blob, str]
) -> dict[str, str] | None:
    return {
        name: digests.get(each, _PLACEHOLDER) if isinstance(each, Blob) else each
        for name, each in blobs.items()
    } or None
