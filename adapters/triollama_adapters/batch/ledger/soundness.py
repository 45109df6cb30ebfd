"""The journal of a batch that is gone on with: the one that is there, or one made anew.

To be used in the ledger's thread. Damage anywhere in it is found here, because all of it is read
that a later write may depend on.
"""

from __future__ import annotations

from pathlib import Path

import attrs

from triollama_adapters.batch.errors import JournalVersionError, LedgerError, NoBatchError
from triollama_adapters.batch.ledger.disk import Disk
from triollama_adapters.batch.ledger.frames import Frame
from triollama_adapters.batch.ledger.journal import UNREADABLE, About, Journal, is_damage
from triollama_adapters.batch.ledger.paths import Paths
from triollama_adapters.batch.ledger.rebuild import finish_rebuild, foreign_file, rebuild
from triollama_adapters.batch.ledger.repair import load
from triollama_adapters.batch.ledger.standing import Standings

__all__ = ["Sound", "sound_journal"]


@attrs.frozen
class Sound:
    """A journal that can be read and written, and all that it says.

    Attributes:
        journal: it.
        about: what it says of itself.
        standings: the rows that have an outcome.
        last: the last group, without its rows.
        figures: what an earlier run stored of them; None if nothing.
    """

    journal: Journal
    about: About
    standings: Standings
    last: Frame
    figures: bytes | None


def sound_journal(paths: Paths, wanted: About, disk: Disk) -> tuple[Sound, Path | None, bool]:
    """The journal of a batch, made anew if it is lost or broken.

    Args:
        paths: the batch's names.
        wanted: what a new one says of itself where the old one's word is lost.
        disk: reads and writes.

    Returns:
        The journal, the new name of the one that was put aside, and whether it was made anew.

    Raises:
        NoBatchError: there is none, and the output or the file of errors is not a batch's.
        JournalVersionError: it is of another version.
        LedgerError: a new one cannot be read.
        OSError: the system does not let it.
        sqlite3.Error: SQLite does not, for a reason that is not in the journal.
    """
    is_rebuilt, aside = finish_rebuild(paths, disk)
    is_lost = not paths.journal.exists()
    if is_lost and (foreign := foreign_file(paths)) is not None:
        raise NoBatchError(
            f"{paths.output} has no journal, and {foreign} does not begin with a record of a "
            "batch, so it is left alone; choose another output"
        )
    about = None
    if not is_lost:
        sound, about = _try_journal(paths, disk)
        if sound is not None:
            return sound, aside, is_rebuilt
    rebuild(paths, about or wanted, disk)
    _, aside = finish_rebuild(paths, disk)
    sound, _ = _try_journal(paths, disk)
    if sound is None:
        raise LedgerError(f"the journal {paths.journal} cannot be read right after it was made")
    return sound, aside, True


def _try_journal(paths: Paths, disk: Disk) -> tuple[Sound | None, About | None]:
    """The journal if it is sound; else None, and what it says of itself if that can be read."""
    about = None
    journal = None
    try:
        journal = Journal.open(paths.journal, disk)
        about = journal.about()
        standings, last = load(journal)
        figures = journal.figures()
        journal.set_about(about)  # a damaged header may let SQLite read but not write
    except UNREADABLE as error:
        if journal is not None:
            journal.close()
        if not is_damage(error, paths.journal):
            raise
        return None, about
    except JournalVersionError:
        if journal is not None:
            journal.close()
        raise
    return Sound(journal, about, standings, last, figures), about
