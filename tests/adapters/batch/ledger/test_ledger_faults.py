"""C4 of reliability.md: writes and fsyncs that fail, files that are cut, bytes that are flipped.

Whatever is done to a batch's files, opening them again never raises, what was acknowledged before
a failed write is still there, and when the missing rows are committed again each row is in the
output once, as it was given.
"""

import itertools
import json
import sqlite3
import sys
from collections.abc import Container, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.adapters.batch.ledger.ledgers import (
    SETTINGS,
    FaultyDisk,
    assert_each_once,
    digest_of,
    entry_of,
    missing,
)

from triollama_adapters.batch.errors import LedgerError
from triollama_adapters.batch.ledger.disk import Disk
from triollama_adapters.batch.ledger.frames import Frame
from triollama_adapters.batch.ledger.journal import About, Journal
from triollama_adapters.batch.ledger.ledger import DISK, Ledger, Standing, open_ledger
from triollama_adapters.batch.ledger.opening import create, resume
from triollama_adapters.batch.ledger.paths import Paths, beside
from triollama_adapters.batch.ledger.recovery import KEPT_FROM_BYTES, VERIFIED_RECORDS, Recovery

ROWS = 15
GROUPS = [range(5), range(5, 6), range(6, 10), range(10, 15)]
FIGURES = bytes(range(256)) * 24
"""More than a page of the journal holds."""


async def run(output: Path, disk: Disk, acknowledged: set[int], *, is_resumed: bool) -> None:
    """A batch that fails once, asks its failed rows again, and goes on to the end."""
    async with open_ledger(output, SETTINGS, is_resumed=is_resumed, disk=disk) as ledger:
        for group in GROUPS[:2]:
            await commit(ledger, group, acknowledged)
        await ledger.retry_failed()
        acknowledged -= {4}
        for group in GROUPS:
            await commit(ledger, group, acknowledged)


async def commit(ledger: Ledger, group: range, acknowledged: set[int]) -> None:
    """Commit what is missing of a group."""
    wanted = {each.number for each in missing(ledger, ROWS)} & set(group)
    await ledger.commit([entry_of(number) for number in sorted(wanted)])
    acknowledged |= wanted


async def finish(output: Path) -> Recovery | None:
    """Resume, commit what is missing, and check the whole; what was repaired."""
    async with open_ledger(output, SETTINGS, is_resumed=True) as ledger:
        await ledger.commit(missing(ledger, ROWS))
        recovery = ledger.recovery
    assert_each_once(output, ROWS)
    async with open_ledger(output, SETTINGS, is_resumed=True) as ledger:
        assert ledger.recovery is None
        assert missing(ledger, ROWS) == []
        assert (ledger.state.done, ledger.state.failed) == (12, 3)
    return recovery


async def calls_of(tmp_path: Path) -> dict[str, int]:
    """How often an undisturbed run calls each operation."""
    disk = FaultyDisk()
    await run(tmp_path / "counted" / "a.jsonl", disk, set(), is_resumed=False)
    return disk.counts


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "mode"),
    [
        ("write", "before"),
        ("write", "half"),
        ("write", "after"),
        ("sync", "before"),
        ("sync", "after"),
        ("truncate", "before"),
        ("truncate", "after"),
        ("commit", "before"),
        ("commit", "after"),
        ("sync_folder", "before"),
    ],
)
async def test_every_nth_operation_may_fail(tmp_path: Path, kind: str, mode: str) -> None:
    """For every n: the ledger says so and stops; nothing acknowledged is lost; it goes on."""
    (tmp_path / "counted").mkdir()
    count = (await calls_of(tmp_path)).get(kind, 0)
    assert count > 0
    for nth in range(1, count + 1):
        output = tmp_path / f"{nth}" / "answers.jsonl"
        output.parent.mkdir()
        acknowledged: set[int] = set()
        with pytest.raises(LedgerError):
            await run(
                output, FaultyDisk(kind=kind, nth=nth, mode=mode), acknowledged, is_resumed=False
            )
        if not output.exists():
            assert not acknowledged
            assert list(output.parent.iterdir()) == []
            continue
        async with open_ledger(output, SETTINGS, is_resumed=True) as ledger:
            for number in acknowledged:
                assert ledger.standing(number, digest_of(number)) is not Standing.NEW or number == 4
            assert ledger.recovery is None or ledger.recovery.forgotten_rows == 0
        await finish(output)


@pytest.mark.slow
@pytest.mark.parametrize(
    "kind", ["open", "read", "sync", "truncate", "commit", "write", "sync_folder"]
)
async def test_a_repair_may_fail_too(tmp_path: Path, kind: str) -> None:
    """For every n: an opening that repairs and whose n-th operation fails can be repeated."""
    for nth in itertools.count(1):
        output = tmp_path / f"{nth}" / "answers.jsonl"
        output.parent.mkdir()
        await whole(output)
        spoil(output)
        disk = FaultyDisk(kind=kind, nth=nth)
        try:
            async with open_ledger(output, SETTINGS, is_resumed=True, disk=disk) as ledger:
                assert ledger.recovery is not None
        except LedgerError:
            await finish(output)
            continue
        assert disk.counts.get(kind, 0) < nth
        assert nth > 1
        break


def spoil(output: Path) -> None:
    """Lose the journal and damage the last record, so that every way of repair is gone."""
    journal = Paths(output).journal
    journal.write_bytes(b"x" + journal.read_bytes()[1:])
    output.write_bytes(output.read_bytes()[:-3])


async def whole(output: Path) -> None:
    """A batch with every outcome, closed."""
    async with open_ledger(output, SETTINGS, is_resumed=False) as ledger:
        for group in GROUPS:
            await ledger.commit([entry_of(number) for number in group])
        await ledger.note_figures(FIGURES)


def damages(data: bytes, start: int) -> Iterator[bytes]:
    """The data cut at each byte from a place on, and with each byte from there on flipped."""
    for at in range(start, len(data)):
        yield data[:at]
    for at in range(start, len(data)):
        for mask in (0x01, 0xFF):
            yield data[:at] + bytes([data[at] ^ mask]) + data[at + 1 :]


def put(files: dict[Path, bytes]) -> None:
    """Bring the files of a folder to what they were."""
    for path in next(iter(files)).parent.iterdir():
        path.unlink()
    for path, data in files.items():
        path.write_bytes(data)


def taken(folder: Path) -> dict[Path, bytes]:
    """The files of a folder."""
    return {path: path.read_bytes() for path in folder.iterdir()}


def check(output: Path, may_miss: Container[int] = range(ROWS)) -> Recovery | None:
    """As `finish`, and that no row is known that was not committed. Without trio: it is quicker."""
    opened = resume(Paths(output), About(), DISK, accepts_changes=False)
    ledger = Ledger(opened)
    wanted = missing(ledger, ROWS)
    assert all(each.number in may_miss for each in wanted)
    assert ledger.state.done + ledger.state.failed == ROWS - len(wanted)
    ledger._commit(wanted)
    opened.close()
    assert_each_once(output, ROWS)
    return ledger.recovery


@pytest.mark.slow
@pytest.mark.parametrize("is_error", [False, True])
async def test_the_outputs_last_record_may_be_damaged_anywhere(
    *, tmp_path: Path, is_error: bool
) -> None:
    """Cut at each of its bytes or one flipped: only that row is asked again; a copy is kept."""
    output = tmp_path / "answers.jsonl"
    await whole(output)
    files = taken(tmp_path)
    path = Paths(output).errors if is_error else output
    last = len(files[path]) - len(files[path].splitlines(keepends=True)[-1])
    for damaged in damages(files[path], last):
        put(files)
        path.write_bytes(damaged)
        recovery = check(output)
        assert recovery is not None
        assert recovery.forgotten_rows == 1
        assert b"".join(kept.read_bytes() for kept in recovery.kept) == damaged[last:]


@pytest.mark.slow
@pytest.mark.parametrize("step", [61, pytest.param(1, marks=pytest.mark.nightly)])
async def test_the_log_of_the_journal_may_be_damaged_anywhere(tmp_path: Path, step: int) -> None:
    """Cut at each byte of its last transaction, or one flipped: each row is there once."""
    output = tmp_path / "answers.jsonl"
    opened = create(Paths(output), About(SETTINGS), DISK)
    ledger = Ledger(opened)
    log = beside(Paths(output).journal, "-wal")
    size = 0
    for group in GROUPS:
        size = log.stat().st_size
        ledger._commit([entry_of(number) for number in group])
    files = {path: data for path, data in taken(tmp_path).items() if path.suffix != ".lock"}
    index = beside(Paths(output).journal, "-shm")
    used = files.pop(index)
    opened.close()
    for left in (used, b"", b"x" * len(used)):  # SQLite makes it anew after a crash
        put(files)
        index.write_bytes(left)
        assert check(output, may_miss=()) is None
    for damaged in itertools.islice(damages(files[log], size), 0, None, step):
        put(files)
        log.write_bytes(damaged)
        check(output, may_miss=GROUPS[-1])


@pytest.mark.slow
@pytest.mark.parametrize("step", [5, pytest.param(1, marks=pytest.mark.nightly)])
async def test_the_journal_may_be_damaged_anywhere(tmp_path: Path, step: int) -> None:
    """Each byte flipped and the file cut anywhere: rebuilt or sound, each row is there once."""
    output = tmp_path / "answers.jsonl"
    await whole(output)
    files = taken(tmp_path)
    journal = Paths(output).journal
    rebuilt = 0
    for damaged in itertools.chain(
        itertools.islice(flips_of_used(files[journal]), 0, None, step),
        (files[journal][:at] for at in range(0, len(files[journal]), 97 * step)),
    ):
        put(files)
        journal.write_bytes(damaged)
        recovery = check(output, may_miss=())
        rebuilt += recovery is not None and recovery.is_rebuilt
        assert recovery is None or recovery.forgotten_rows == 0
    assert rebuilt > 0


@pytest.mark.slow
@pytest.mark.parametrize("step", [11, pytest.param(1, marks=pytest.mark.nightly)])
async def test_the_journals_last_record_may_be_damaged_anywhere(tmp_path: Path, step: int) -> None:
    """Cut at each of its bytes or one flipped: the journal is made anew, and nothing is lost."""
    output = tmp_path / "answers.jsonl"
    await whole(output)
    files = taken(tmp_path)
    journal = Paths(output).journal
    record = last_frame(journal).encode()
    data = files[journal]
    start, end = data.index(record), data.index(record) + len(record)
    cuts = (data[:at] for at in range(start, end))
    flips = (
        data[:at] + bytes([data[at] ^ mask]) + data[at + 1 :]
        for at in range(start, end)
        for mask in (0x01, 0xFF)
    )
    for damaged in itertools.islice(itertools.chain(cuts, flips), 0, None, step):
        put(files)
        journal.write_bytes(damaged)
        recovery = check(output, may_miss=())
        assert recovery is not None
        assert recovery.is_rebuilt
        assert (recovery.forgotten_rows, recovery.cut_bytes) == (0, 0)


def last_frame(path: Path) -> Frame:
    """The last group of a journal."""
    journal = Journal.open(path, DISK)
    try:
        return journal.last()
    finally:
        journal.close()


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="needs a limit on the size of files")
@pytest.mark.parametrize("step", [1_024, pytest.param(64, marks=pytest.mark.nightly)])
def test_a_disk_may_be_full_at_any_byte(tmp_path: Path, step: int) -> None:
    """Of the output, the journal and its log, with SQLite's own writes failing half-way.

    What was acknowledged is known when there is room again, and each row is there once.
    """
    for limit in itertools.count(step, step):
        output = tmp_path / f"{limit}" / "answers.jsonl"
        output.parent.mkdir()
        acknowledged: set[int] = set()
        with files_at_most(limit) as is_full:
            run_in_thread(output, acknowledged)
        if output.exists() or Paths(output).journal.exists():
            check(output, may_miss=set(range(ROWS)) - acknowledged)
        else:
            assert not acknowledged
            assert list(output.parent.iterdir()) == []
        if not is_full:
            assert limit > step
            break


@contextmanager
def files_at_most(limit: int) -> Iterator[list[LedgerError]]:
    """No file may become longer meanwhile; what came of that."""
    import resource  # noqa: PLC0415 - POSIX only

    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    failures: list[LedgerError] = []
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, before[1]))
    try:
        yield failures
    except LedgerError as error:
        failures.append(error)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def run_in_thread(output: Path, acknowledged: set[int]) -> None:
    """A batch whose groups are longer than a page, without trio."""
    opened = create(Paths(output), About(SETTINGS), DISK)
    try:
        ledger = Ledger(opened)
        for group in GROUPS:
            ledger._guarded(lambda group=group: ledger._commit([entry_of(n) for n in group]))
            acknowledged |= {*group}
            ledger._guarded(lambda: ledger._opened.journal.set_figures(FIGURES))
    except LedgerError:
        opened.discard()
        raise
    opened.close()


def flips_of_used(data: bytes) -> Iterator[bytes]:
    """Flips of each byte that is not in a run of zeros, which SQLite does not use, but for some."""
    for at, byte in enumerate(data):
        if byte or at % 50 == 0:
            yield data[:at] + bytes([byte ^ 0xFF]) + data[at + 1 :]


async def test_a_journal_that_is_gone_is_made_anew(tmp_path: Path) -> None:
    """Whole records are taken as they are, whatever the row's digest; nothing is asked again."""
    output = tmp_path / "answers.jsonl"
    await whole(output)
    Paths(output).journal.unlink()
    async with open_ledger(output, None, is_resumed=True) as ledger:
        assert ledger.recovery is not None
        assert ledger.recovery.is_rebuilt
        assert ledger.recovery.put_aside is None
        assert missing(ledger, ROWS) == []
        assert ledger.standing(0, b"another digest") is Standing.DONE
        assert ledger.state.errors == {"TimeoutError": 3}
        assert ledger.state.settings is None
    assert_each_once(output, ROWS)


async def test_a_journal_made_anew_counts_the_tokens_of_records(tmp_path: Path) -> None:
    """Of flat ones and of OpenAI's, answered or not; what tells none, or nonsense, counts none."""
    told: list[dict[str, Any]] = [
        {"usage": {"prompt_tokens": 3, "output_tokens": 5, "total_ns": 7}},
        {"usage": None, "response": {"body": {"usage": {"prompt_tokens": 20, "total_tokens": 20}}}},
        {"response": {"body": {"usage": {"prompt_tokens": 100, "completion_tokens": 400}}}},
        {"response": "a field of the input", "usage": {"prompt_tokens": 1_000}},
        {"content": "without"},
        {"usage": {"prompt_tokens": -1, "output_tokens": 9}},
        {"usage": {"prompt_tokens": 1 << 40}},
        {"usage": "a field of the input", "response": None},
    ]
    output = tmp_path / "answers.jsonl"
    records = [{"index": n, **each} for n, each in enumerate(told)]
    output.write_text("".join(json.dumps(each) + "\n" for each in records))
    failed = {"index": 99, "error": {}, "response": None, "usage": {"completion_tokens": 6_000}}
    Paths(output).errors.write_text(json.dumps(failed) + "\n")
    async with open_ledger(output, None, is_resumed=True) as ledger:
        state = ledger.state
    assert (state.done, state.failed) == (len(told), 1)
    assert (state.input_tokens, state.output_tokens) == (1_123, 6_405)


async def test_a_journal_that_is_broken_is_put_aside_and_keeps_its_settings(
    tmp_path: Path,
) -> None:
    """If what it says of its batch can still be read, that is taken over."""
    output = tmp_path / "answers.jsonl"
    await whole(output)
    connection = sqlite3.connect(Paths(output).journal)
    with connection:
        connection.execute("DELETE FROM groups WHERE id = 2")
    connection.close()
    broken = Paths(output).journal.read_bytes()
    async with open_ledger(output, None, is_resumed=True) as ledger:
        assert ledger.recovery is not None
        assert ledger.recovery.put_aside == tmp_path / "answers.jsonl.journal.broken-1"
        assert ledger.recovery.put_aside.read_bytes() == broken
        assert ledger.state.settings == SETTINGS
        assert missing(ledger, ROWS) == []
    await finish(output)


async def test_groups_lost_at_the_end_are_missed(tmp_path: Path) -> None:
    """A journal that lost its last groups unnoticed is rebuilt: no answer is cut off."""
    output = tmp_path / "answers.jsonl"
    await whole(output)
    connection = sqlite3.connect(Paths(output).journal)
    with connection:
        connection.execute("DELETE FROM groups WHERE id > 1")
    connection.close()
    recovery = await finish(output)
    assert recovery is not None
    assert recovery.is_rebuilt
    assert (recovery.forgotten_rows, recovery.cut_bytes) == (0, 0)


async def test_a_bad_record_takes_those_behind_it_along(tmp_path: Path) -> None:
    """Cut at the first bad record across groups; the other file's rows stay; a copy is kept."""
    output = tmp_path / "answers.jsonl"
    await whole(output)
    data = output.read_bytes()
    at = data.index(entry_of(3).record)
    output.write_bytes(data[:at] + b"X" + data[at + 1 :])
    async with open_ledger(output, None, is_resumed=True) as ledger:
        assert [each.number for each in missing(ledger, ROWS)] == [3, *range(5, 9), *range(10, 14)]
        assert ledger.recovery is not None
        assert ledger.recovery.forgotten_rows == 9
        assert ledger.recovery.cut_bytes == len(data) - at
        assert [kept.name for kept in ledger.recovery.kept] == ["answers.jsonl.cut-1"]
        assert ledger.recovery.kept[0].read_bytes() == b"X" + data[at + 1 :]
    await finish(output)


async def test_a_file_of_errors_damaged_after_a_retry(tmp_path: Path) -> None:
    """Rows that failed before the retry have nothing to do with what is in the file now."""
    output = tmp_path / "answers.jsonl"
    await whole(output)
    async with open_ledger(output, None, is_resumed=True) as ledger:
        await ledger.retry_failed()
        await ledger.commit([entry_of(4)])
        await ledger.commit([entry_of(9)])
    errors = Paths(output).errors
    errors.write_bytes(errors.read_bytes()[:-1])
    async with open_ledger(output, None, is_resumed=True) as ledger:
        assert [each.number for each in missing(ledger, ROWS)] == [9, 14]
        assert (ledger.state.done, ledger.state.failed) == (12, 1)
    await finish(output)


async def test_a_full_disk_leaves_no_half_record(tmp_path: Path) -> None:
    """What a failed write left is cut off at once."""
    output = tmp_path / "answers.jsonl"
    disk = FaultyDisk(kind="write", nth=4, mode="half")
    with pytest.raises(LedgerError, match="No space left on device"):
        async with open_ledger(output, SETTINGS, is_resumed=False, disk=disk) as ledger:
            await ledger.commit([entry_of(0)])
            await ledger.commit([entry_of(number) for number in range(1, 5)])
    assert output.read_bytes() == entry_of(0).record
    await finish(output)


async def test_the_files_are_synced_before_the_journal_tells_of_them(tmp_path: Path) -> None:
    """The order on which everything else rests: each file's last write, its sync, then the commit.

    A retry has the other order: the journal forgets, then the file is cut.
    """
    disk = FaultyDisk()
    async with open_ledger(
        tmp_path / "answers.jsonl", SETTINGS, is_resumed=False, disk=disk
    ) as ledger:
        disk.calls.clear()
        await ledger.commit([entry_of(0), entry_of(4)])
        assert disk.calls == ["write", "sync", "write", "sync", "commit"]
        disk.calls.clear()
        await ledger.commit([entry_of(1)])
        assert disk.calls == ["write", "sync", "commit"]
        disk.calls.clear()
        await ledger.retry_failed()
        assert disk.calls == ["commit", "truncate", "sync"]


async def test_a_database_that_is_full_stops_the_batch(tmp_path: Path) -> None:
    """An error of SQLite's own, not a made one: the group is not acknowledged; a resume goes on."""
    output = tmp_path / "answers.jsonl"
    async with open_ledger(output, SETTINGS, is_resumed=False) as ledger:
        ledger._opened.journal._connection.execute("PRAGMA max_page_count=1")
        with pytest.raises(LedgerError, match="database or disk is full"):
            for number in range(1_000):
                await ledger.commit([entry_of(number)])
        known = ledger.state.done + ledger.state.failed
    async with open_ledger(output, SETTINGS, is_resumed=True) as ledger:
        assert ledger.state.done + ledger.state.failed == known
        await ledger.commit(missing(ledger, 200))
    assert_each_once(output, 200)


async def test_more_than_a_commit_can_leave_is_kept(tmp_path: Path) -> None:
    """A journal that is older than the output costs work, but no answer is thrown away."""
    output = tmp_path / "answers.jsonl"
    await whole(output)
    tail = b"x" * (KEPT_FROM_BYTES + 1)
    for kept in (tail, tail[1:]):
        with output.open("ab") as file:
            file.write(kept)
        recovery = await finish(output)
        assert recovery is not None
        assert recovery.cut_bytes == len(kept)
        assert [path.read_bytes() for path in recovery.kept] == ([tail] if kept == tail else [])


async def test_old_damage_is_followed_to_its_beginning(tmp_path: Path) -> None:
    """Where the end is damaged, what is before it is read until enough of it is good."""
    output = tmp_path / "answers.jsonl"
    count = 3 * VERIFIED_RECORDS
    async with open_ledger(output, SETTINGS, is_resumed=False) as ledger:
        for first in range(0, count, 100):
            await ledger.commit([entry_of(number) for number in range(first, first + 100)])
    data = output.read_bytes()
    at = data.index(entry_of(1_210).record)
    output.write_bytes(data[:at] + b"x" * (len(data) - at))
    async with open_ledger(output, SETTINGS, is_resumed=True) as ledger:
        rest = missing(ledger, count)
        assert rest[0].number == 1_210
        await ledger.commit(rest)
    assert_each_once(output, count)
