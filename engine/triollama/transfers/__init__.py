"""Models that are fetched, sent and made, with progress: pull, push, create, and their files.

Layers, top to bottom; each imports only from below::

    making                  files and arguments made into creates
    opening                 arguments made into pulls and pushes
    running | blobs         one transfer on one endpoint | files on their way to a server
    inflow | orders | sources
    progress                what a caller holds
    core                    what lines of progress mean; no IO
    events, errors

Imported when it is first used: few programs manage models.
"""

from triollama.transfers.blobs import Blob, has_blob
from triollama.transfers.errors import (
    BlobChangedError,
    DigestMismatchError,
    PartialFailureError,
    TransferFailedError,
)
from triollama.transfers.events import (
    EndpointTransfer,
    Phase,
    TransferEvent,
    TransferKind,
    TransferResult,
)
from triollama.transfers.making import open_create, upload
from triollama.transfers.opening import Site, open_move
from triollama.transfers.orders import do_on_each, give_order
from triollama.transfers.progress import Progress, Transfer
from triollama.transfers.sources import BlobInput, as_source

__all__ = [
    "Blob",
    "BlobChangedError",
    "BlobInput",
    "DigestMismatchError",
    "EndpointTransfer",
    "PartialFailureError",
    "Phase",
    "Progress",
    "Site",
    "Transfer",
    "TransferEvent",
    "TransferFailedError",
    "TransferKind",
    "TransferResult",
    "as_source",
    "do_on_each",
    "give_order",
    "has_blob",
    "open_create",
    "open_move",
    "upload",
]
