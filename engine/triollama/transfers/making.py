"""Models that are made: their files found, hashed and uploaded, then the request itself."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final

import attrs
import trio

from triollama._errors import InvalidRequestError, Problem, TriollamaError
from triollama.actors.errands import Errand
from triollama.actors.streams.attempt import EndpointAccess
from triollama.api._problems import refused
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
    """Check everything, before anything is read or sent; the error tells all that is wrong."""
    problems: list[Problem] = []
    blobs = {name: _blobs(fields.get(name), name, problems) for name in _FILES}
    for each in (blob for files in blobs.values() for blob in files.values()):
        if isinstance(each, Blob):
            try:
                await each.check()
            except InvalidRequestError as error:
                problems += error.problems
    checked = {name: _with_digests(each, {}) for name, each in blobs.items()}
    try:
        request = CreateRequest.make(model=model, **{**fields, **checked})
        upload_s = checked_stall(stall_s, STALL_S)
        silent_s = checked_stall(stall_s, CREATE_STALL_S)
    except InvalidRequestError as error:
        raise InvalidRequestError(problems=[*problems, *error.problems]) from None
    if problems:
        raise InvalidRequestError(problems=problems)
    return _Making(site, request, blobs, upload_s, silent_s)


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


def _blobs(given: object, where: str, problems: list[Problem]) -> dict[str, str | Blob]:
    """The files of one field by their names on the server: digests, or what has yet to be read.

    What is wrong is noted, and something stands in its place.
    """
    if given is None:
        return {}
    files: dict[str, str | Blob] = {}
    try:
        named = _by_name(given, where)
    except InvalidRequestError as error:
        problems += error.problems
        named = {"file": _PLACEHOLDER}
    for at, (name, file) in enumerate(named.items()):
        try:
            files[check_file_name(name, where)] = _blob(file, f"{where}[{name!r}]")
        except InvalidRequestError as error:
            problems += error.problems
            files[f"file {at}"] = _PLACEHOLDER
    return files


def _blob(file: object, where: str) -> str | Blob:
    return checked_digest(file) if is_digest(file) else Blob(as_source(file, where))


def _by_name(given: object, where: str) -> Mapping[Any, object]:
    """Files by name; of a list, the last part of each path is its name.

    Raises:
        InvalidRequestError: one of a list is no path, or two have the same name.
    """
    if isinstance(given, Mapping):
        return given
    if not isinstance(given, Sequence) or isinstance(given, str | bytes):
        allowed = "a list of paths, or a mapping of names to paths or digests"
        raise refused(where, type(given).__name__, allowed)
    named: dict[str, object] = {}
    for at, path in enumerate(given):
        if not isinstance(path, str | os.PathLike):
            told = f"{where} must be paths where they have no names"
            raise refused(f"{where}[{at}]", type(path).__name__, "a path", told)
        name = Path(path).name
        if not name:
            told = f"{where}[{at}]: {str(path)!r} names no file"
            raise refused(f"{where}[{at}]", "a path without a name", "a file's path", told)
        if name in named:
            told = f"{where} has two files named {name!r}: give a mapping of names to paths"
            raise refused(f"{where}[{at}]", "a name that another one has", "another name", told)
        named[name] = path
    return named


def _with_digests(
    blobs: Mapping[str, str | Blob], digests: Mapping[Blob, str]
) -> dict[str, str] | None:
    return {
        name: digests.get(each, _PLACEHOLDER) if isinstance(each, Blob) else each
        for name, each in blobs.items()
    } or None
