"""Opens the files of a batch and makes them agree. To be used in the ledger's thread.

How damaged files are cut stands in `repair`, how a lost journal is made anew in `rebuild`. A crash
between any two steps leaves files that open again.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import attrs

from triollama_adapters.batch.errors import (
    LedgerError,
    NoBatchError,
    OutputExistsError,
)
from triollama_adapters.batch.ledger.disk import Disk
from triollama_adapters.batch.ledger.frames import NOTHING, Frame
from triollama_adapters.batch.ledger.journal import UNREADABLE, About, Journal
from triollama_adapters.batch.ledger.lock import Lock
from triollama_adapters.batch.ledger.output_file import OutputFile, system_errors_told
from triollama_adapters.batch.ledger.paths import Paths, beside
from triollama_adapters.batch.ledger.place import check_folder, check_kind
from triollama_adapters.batch.ledger.rebuild import LOGS, finish_rebuild, foreign_file, rebuild
from triollama_adapters.batch.ledger.recovery import Recovery
from triollama_adapters.batch.ledger.repair import load, repair
from triollama_adapters.batch.ledger.settings import agreed
from triollama_adapters.batch.ledger.soundness import sound_journal
from triollama_adapters.batch.ledger.standing import Standings

__all__ = ["Opened", "check_new", "create", "errors_told", "is_begun", "resume"]


@attrs.define
class Opened:
    """A batch whose files agree.

    Attributes:
        paths: its names.
        lock: keeps others out.
        journal: its journal.
        answers: the file of answers.
        errors: the file of errors.
        about: what the journal says of itself.
        last: the last group.
        standings: the rows that have an outcome.
        recovery: what was done to make the files agree; None if they did.
        is_new: whether it was made just now.
        figures: what an earlier run stored of them; None if nothing.
    """

    paths: Paths
    lock: Lock
    journal: Journal
    answers: OutputFile
    errors: OutputFile
    about: About
    last: Frame
    standings: Standings
    recovery: Recovery | None
    is_new: bool
    figures: bytes | None = None

    def close(self) -> None:
        """Let go of everything, the lock last. Harmless when repeated."""
        self.journal.close()
        self.answers.close()
        self.errors.close()
        self.lock.release()

    def discard(self) -> None:
        """Remove the files of a batch that is new and has no outcome, then close."""
        if self.is_new and self.last is NOTHING:
            self.journal.close()
            _remove(self.paths)
        self.close()


def check_new(paths: Paths) -> None:
    """See that a batch can begin here, before any other work.

    Raises:
        ChoiceError: the output can be no file.
        OutputExistsError: one of its files exists.
        OutputBusyError: another process holds it.
        LedgerError: its folder cannot be written.
    """
    check_kind(paths.output)
    check_folder(paths.output)
    with ExitStack() as stack:
        try:
            _locked(paths, stack)
        except LedgerError as error:  # there is nothing yet that could be safe, or resumed
            folder = paths.output.parent.absolute()
            why = getattr(error.__cause__, "strerror", None) or "the system does not let it"
            raise LedgerError(
                f"cannot write {paths.output}: nothing can be made in its folder {folder}: {why}; "
                "choose another output with -o",
                errno=error.errno,
            ) from error
        _check_absent(paths)


def create(paths: Paths, about: About, disk: Disk) -> Opened:
    """Begin a batch. Its files are made, or none of them.

    Raises:
        ChoiceError: the output can be no file.
        OutputExistsError: one of them exists.
        OutputBusyError: another process holds it.
        LedgerError: they cannot be made.
    """
    check_kind(paths.output)
    check_folder(paths.output)
    with ExitStack() as stack:
        lock = _locked(paths, stack)
        _check_absent(paths)
        stack.callback(_remove, paths)
        with errors_told(paths.journal):
            # First, and whole under its name: what exists after a crash can be resumed as it was
            # meant, with these settings.
            rebuild(paths, about, disk)
            finish_rebuild(paths, disk)
            journal = Journal.open(paths.journal, disk)
            stack.callback(journal.close)
        answers, errors = _open_files(paths, disk, stack)
        with system_errors_told(paths.output.parent, "write to"):
            disk.sync_folder(paths.output.parent)
        stack.pop_all()
    return Opened(
        paths, lock, journal, answers, errors, about, NOTHING, Standings(), None, is_new=True
    )


def resume(paths: Paths, wanted: About, disk: Disk, *, accepts_changes: bool) -> Opened:
    """Open a batch that was begun, and repair what is torn or damaged.

    Args:
        paths: its names.
        wanted: the settings and notes it should have; what is left out of them stays.
        disk: reads and writes.
        accepts_changes: whether the settings may differ.

    Raises:
        ChoiceError: the output can be no file.
        NoBatchError: there is none, or the file is not a batch's.
        OutputBusyError: another process holds it.
        SettingsChangedError: it was begun with other settings.
        JournalVersionError: another version of this program wrote the journal.
        LedgerError: the files cannot be opened, or not be repaired.
    """
    check_kind(paths.output)
    if not any(path.exists() for path in _all_files(paths)):
        raise NoBatchError(f"there is no batch at {paths.output}; begin one, or look for its name")
    with ExitStack() as stack, errors_told(paths.journal):
        lock = _locked(paths, stack)
        sound, aside, is_rebuilt = sound_journal(paths, wanted, disk)
        journal, about, standings, last = sound.journal, sound.about, sound.standings, sound.last
        stack.callback(journal.close)
        about = attrs.evolve(
            about,
            settings=agreed(about.settings, wanted.settings, accepts_changes=accepts_changes),
            notes=(about.notes or {}) | (wanted.notes or {}) or None,
        )
        files = _open_files(paths, disk, stack)
        recovery = repair(journal, last, *files, keeps_all=is_rebuilt)
        if recovery.forgotten_rows:
            standings, last = load(journal)
        journal.set_about(about)
        disk.sync_folder(paths.output.parent)
        stack.pop_all()
    recovery = attrs.evolve(recovery, is_rebuilt=is_rebuilt, put_aside=aside)
    found = None if recovery == Recovery() else recovery
    return Opened(
        paths,
        lock,
        journal,
        *files,
        about,
        last,
        standings,
        found,
        is_new=False,
        figures=sound.figures,
    )


# ---- the files


def _open_files(paths: Paths, disk: Disk, stack: ExitStack) -> tuple[OutputFile, OutputFile]:
    answers = OutputFile(paths.output, disk)
    stack.callback(answers.close)
    errors = OutputFile(paths.errors, disk)
    stack.callback(errors.close)
    return answers, errors


def _all_files(paths: Paths) -> Iterator[Path]:
    yield from (paths.journal, paths.ready_journal, paths.output, paths.errors)
    yield from (beside(paths.journal, log) for log in LOGS)


def is_begun(paths: Paths) -> bool:
    """Whether there is a batch to go on with: its journal, or an output that makes a new one."""
    return paths.journal.exists() or paths.ready_journal.exists() or _makes_a_journal(paths)


def _makes_a_journal(paths: Paths) -> bool:
    """Whether the output is a batch's, as far as it can be read."""
    try:
        return paths.output.exists() and foreign_file(paths) is None
    except OSError:
        return False


def _remove(paths: Paths) -> None:
    unfinished = (beside(paths.new_journal, log) for log in ("", *LOGS))
    for path in (*_all_files(paths), *unfinished):
        path.unlink(missing_ok=True)


# ---- the lock, and errors


@contextmanager
def errors_told(path: Path) -> Iterator[None]:
    """Make `LedgerError` of what SQLite and the system say about the journal."""
    try:
        with system_errors_told(path):
            yield
    except UNREADABLE as error:
        raise LedgerError(
            f"cannot write {path}: {error}; what was finished before is safe: "
            "put that right, then resume the batch"
        ) from error


def _locked(paths: Paths, stack: ExitStack) -> Lock:
    with system_errors_told(paths.lock):
        lock = Lock.take(paths.lock, paths.output)
    stack.callback(lock.release)
    return lock


def _check_absent(paths: Paths) -> None:
    for path in (paths.output, paths.errors, paths.journal, paths.ready_journal):
        if path.exists() or path.is_symlink():
            raise _exists(path, paths)


def _exists(path: Path, paths: Paths) -> OutputExistsError:
    how = "choose another output with -o"
    if any(each.exists() for each in (paths.journal, paths.ready_journal)):
        how = f"go on with that batch (triollama batch resume {paths.output}), or {how}"
    elif _makes_a_journal(paths):
        how = f"its journal is gone: to go on with that batch give --go-on, or {how}"
    return OutputExistsError(f"{path} exists; {how}", path=path)
