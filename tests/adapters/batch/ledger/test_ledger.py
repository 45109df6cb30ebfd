"""What the ledger promises while nothing breaks."""

import os
import sys
from pathlib import Path

import attrs
import pytest
import trio
from tests.adapters.batch.ledger.ledgers import (
    SETTINGS,
    FaultyDisk,
    assert_each_once,
    content,
    digest_of,
    entry_of,
    missing,
    put,
)

from triollama_adapters.batch.errors import (
    ChoiceError,
    JournalBrokenError,
    JournalVersionError,
    LedgerError,
    NoBatchError,
    OutputBusyError,
    OutputExistsError,
    SettingsChangedError,
)
from triollama_adapters.batch.ledger.journal import About, Journal
from triollama_adapters.batch.ledger.ledger import DISK, Entry, Standing, open_ledger, read_state
from triollama_adapters.batch.ledger.paths import Paths


@pytest.fixture
def output(tmp_path: Path) -> Path:
    """Where the answers go."""
    return tmp_path / "answers.jsonl"


async def begun(output: Path, count: int = 10) -> None:
    """A batch with so many outcomes, closed."""
    async with open_ledger(output, SETTINGS, is_resumed=False) as ledger:
        await ledger.commit([entry_of(number) for number in range(count)])


async def test_outcomes_are_in_their_files_and_known(output: Path) -> None:
    """Answers and failures stand in two files in order, and each row's standing is told."""
    async with open_ledger(output, SETTINGS, is_resumed=False) as ledger:
        assert ledger.standing(3, digest_of(3)) is Standing.NEW
        await ledger.commit([entry_of(4), entry_of(3)])
        await ledger.commit([])
        await ledger.commit([entry_of(0)])
        assert ledger.standing(3, digest_of(3)) is Standing.DONE
        assert ledger.standing(4, digest_of(4)) is Standing.FAILED
    async with open_ledger(output, SETTINGS, is_resumed=True) as ledger:
        assert ledger.standing(3, digest_of(3)) is Standing.DONE
        assert ledger.standing(3, digest_of(4)) is Standing.CHANGED
    assert content(output) == entry_of(3).record + entry_of(0).record
    assert content(Paths(output).errors) == entry_of(4).record


async def test_a_resume_knows_what_was_finished(output: Path) -> None:
    """Rows, sums and settings are the same after closing and opening; a second resume too."""
    await begun(output)
    for _ in range(2):
        async with open_ledger(output, SETTINGS, is_resumed=True) as ledger:
            assert ledger.recovery is None
            assert missing(ledger, 10) == []
            state = ledger.state
            assert (state.done, state.failed) == (8, 2)
            assert state.errors == {"TimeoutError": 2}
            assert (state.input_tokens, state.output_tokens) == (16, 24)
            assert state.settings == SETTINGS
    assert_each_once(output, 10)


async def test_a_clean_end_leaves_three_files(output: Path) -> None:
    """Neither a lock nor SQLite's own files stay behind."""
    await begun(output)
    paths = Paths(output)
    assert set(output.parent.iterdir()) == {paths.output, paths.errors, paths.journal}


async def test_a_new_batch_that_fails_before_its_first_outcome_leaves_nothing(
    output: Path,
) -> None:
    """The same command can then be given again."""
    with pytest.raises(RuntimeError):
        async with open_ledger(output, SETTINGS, is_resumed=False):
            raise RuntimeError
    assert list(output.parent.iterdir()) == []


async def test_a_batch_with_an_outcome_stays_whatever_ends_it(output: Path) -> None:
    """An error after the first commit leaves a batch that can be resumed."""
    with pytest.raises(RuntimeError):
        async with open_ledger(output, SETTINGS, is_resumed=False) as ledger:
            await ledger.commit([entry_of(0)])
            raise RuntimeError
    assert (await read_state(output)).done == 1


@pytest.mark.parametrize(
    ("name", "content", "hint"),
    [
        ("answers.jsonl", b"mine", None),
        ("answers.jsonl", b'{"index":3,"content":"yes"}\n', "--go-on"),
        ("answers.errors.jsonl", b"mine", None),
        ("answers.jsonl.journal", b"mine", "triollama batch resume"),
    ],
)
async def test_nothing_is_written_over(
    output: Path, name: str, content: bytes, hint: str | None
) -> None:
    """A new batch refuses when any of its files exists, and says how to go on; all stays as is."""
    path = output.with_name(name)
    path.write_bytes(content)
    with pytest.raises(OutputExistsError, match=hint or "choose another output") as caught:
        async with open_ledger(output, SETTINGS, is_resumed=False):
            pass
    assert caught.value.path == path
    assert ("go on" in str(caught.value)) is (hint is not None)
    assert path.read_bytes() == content
    assert list(output.parent.iterdir()) == [path]


async def test_there_must_be_something_to_resume(output: Path) -> None:
    """A name without a batch is refused and nothing is made."""
    with pytest.raises(NoBatchError):
        async with open_ledger(output, None, is_resumed=True):
            pass
    with pytest.raises(NoBatchError):
        await read_state(output)
    assert list(output.parent.iterdir()) == []


async def test_a_file_that_is_no_batchs_is_left_alone(output: Path) -> None:
    """Resuming one's input by mistake does not cut it."""
    put(output, b'{"prompt": "hello"}\n' * 3)
    with pytest.raises(NoBatchError, match="left alone"):
        async with open_ledger(output, None, is_resumed=True):
            pass
    assert content(output) == b'{"prompt": "hello"}\n' * 3


@pytest.mark.parametrize("name", ["answers.jsonl", "answers.errors.jsonl"])
@pytest.mark.parametrize("is_resumed", [None, True])
async def test_what_no_batch_wrote_is_left_as_it_is(
    output: Path, name: str, *, is_resumed: bool | None
) -> None:
    """Whichever of the two names it has, and whether or not somebody says that there is a batch."""
    path, mine = output.with_name(name), b'{"my": "data"}\n' * 3
    put(path, mine)
    error, told = (NoBatchError, "left alone") if is_resumed else (OutputExistsError, "exists")
    with pytest.raises(error, match=told) as caught:
        async with open_ledger(output, SETTINGS, is_resumed=is_resumed):
            pass
    assert str(path) in str(caught.value)
    assert list(output.parent.iterdir()) == [path]
    assert content(path) == mine


async def test_errors_of_another_beside_a_lost_journal(output: Path) -> None:
    """The answers alone would make a new journal, which would cut that file."""
    await begun(output)
    paths = Paths(output)
    paths.journal.unlink()
    put(paths.errors, b"mine\n")
    before = content(output)
    for is_resumed, error in ((None, OutputExistsError), (True, NoBatchError)):
        with pytest.raises(error, match=r"answers\.errors\.jsonl|answers\.jsonl exists"):
            async with open_ledger(output, SETTINGS, is_resumed=is_resumed):
                pass
    assert (content(output), content(paths.errors)) == (before, b"mine\n")


async def test_whichever_it_is(output: Path) -> None:
    """A batch is begun, gone on with, and made anew from its files when the journal is gone."""
    for count in (3, 6):
        async with open_ledger(output, SETTINGS, is_resumed=None) as ledger:
            await ledger.commit(missing(ledger, count))
    Paths(output).journal.unlink()
    async with open_ledger(output, SETTINGS, is_resumed=None) as ledger:
        assert ledger.rows_end == 6
        assert missing(ledger, 6) == []
    assert_each_once(output, 6)


async def test_a_second_opening_is_refused(output: Path) -> None:
    """While a ledger is open, here or in another process, no other one is; it names the process."""
    async with open_ledger(output, SETTINGS, is_resumed=False) as ledger:
        for is_resumed in (False, True):
            with pytest.raises(OutputBusyError, match=f"process {os.getpid()}") as caught:
                async with open_ledger(output, SETTINGS, is_resumed=is_resumed):
                    pass
            assert caught.value.pid == os.getpid()
        await ledger.commit([entry_of(0)])
    await begun_again(output)


async def begun_again(output: Path) -> None:
    """Resume without doing anything."""
    async with open_ledger(output, None, is_resumed=True):
        pass


@pytest.mark.slow
async def test_another_process_is_refused(output: Path) -> None:
    """The lock holds between processes."""
    code = (
        "import sys, trio; from pathlib import Path\n"
        "from triollama_adapters.batch.ledger.ledger import open_ledger\n"
        "async def main():\n"
        "    async with open_ledger(Path(sys.argv[1]), None, is_resumed=True): pass\n"
        "trio.run(main)"
    )
    async with open_ledger(output, SETTINGS, is_resumed=False):
        process = await trio.run_process(
            [sys.executable, "-c", code, str(output)],
            check=False,
            capture_stderr=True,
        )
    assert b"OutputBusyError" in process.stderr


async def test_other_settings_are_refused_with_the_difference(output: Path) -> None:
    """The error lists what differs, long and secret texts by length and hash only."""
    await begun(output)
    new = {"model": "qwen3", "prompt": "Canary: {text}", "seed": 1}
    with pytest.raises(SettingsChangedError) as caught:
        async with open_ledger(output, new, is_resumed=True):
            pass
    assert [(each.name, each.old, each.new) for each in caught.value.changes] == [
        ("model", "llama3.2", "qwen3"),
        ("prompt", "Say: {text}", "Canary: {text}"),
        ("seed", None, 1),
    ]
    message = str(caught.value)
    assert "model: llama3.2 -> qwen3" in message
    assert "seed: unset -> 1" in message
    assert "Canary" not in message + repr(caught.value.changes)


async def test_accepted_settings_are_the_new_ones(output: Path) -> None:
    """With leave they replace the old; without settings the stored ones are taken."""
    await begun(output)
    async with open_ledger(output, {"model": "b"}, is_resumed=True, accepts_changes=True):
        pass
    async with open_ledger(output, None, is_resumed=True) as ledger:
        assert ledger.state.settings == {"model": "b"}


async def test_notes_may_differ(output: Path) -> None:
    """They are kept as given last, and never compared."""
    async with open_ledger(output, SETTINGS, is_resumed=False, notes={"endpoints": ("a",)}):
        pass
    async with open_ledger(output, SETTINGS, is_resumed=True) as ledger:
        assert ledger.state.notes == {"endpoints": ["a"]}
    async with open_ledger(output, SETTINGS, is_resumed=True, notes={"endpoints": []}):
        pass
    assert (await read_state(output)).notes == {"endpoints": []}


async def test_a_row_has_one_outcome(output: Path) -> None:
    """What is finished, twice in a group, or not one line, is refused and nothing is written."""
    bad = [
        [entry_of(0)],
        [entry_of(1), entry_of(1)],
        [entry_of(1), attrs.evolve(entry_of(2), record=b"{}")],
        [attrs.evolve(entry_of(2), record=b"{}\n{}\n")],
        [attrs.evolve(entry_of(2), record=b"")],
        [attrs.evolve(entry_of(2), number=-1)],
    ]
    async with open_ledger(output, SETTINGS, is_resumed=False) as ledger:
        await ledger.commit([entry_of(0)])
        for entries in bad:
            with pytest.raises(ValueError, match="row"):
                await ledger.commit(entries)
        await ledger.commit([entry_of(number) for number in range(1, 5)])
    assert_each_once(output, 5)


async def test_failed_rows_are_new_again_and_can_be_answered(output: Path) -> None:
    """`retry_failed` empties the file of errors; the rows may then have another outcome."""
    await begun(output)
    async with open_ledger(output, SETTINGS, is_resumed=True) as ledger:
        assert await ledger.retry_failed() == 2
        assert await ledger.retry_failed() == 0
        assert content(Paths(output).errors) == b""
        assert missing(ledger, 10) == [entry_of(4), entry_of(9)]
        await ledger.commit([Entry(4, digest_of(4), b'{"index":4}\n')])
    async with open_ledger(output, SETTINGS, is_resumed=True) as ledger:
        assert missing(ledger, 10) == [entry_of(9)]
        assert (ledger.state.done, ledger.state.failed, ledger.state.errors) == (9, 0, {})
        await ledger.commit([entry_of(9)])
    async with open_ledger(output, SETTINGS, is_resumed=True) as ledger:
        assert ledger.recovery is None
        assert missing(ledger, 10) == []


async def test_the_state_is_read_while_it_is_written(output: Path) -> None:
    """A reader sees the last commit of an open ledger, and a closed batch the same."""
    async with open_ledger(output, SETTINGS, is_resumed=False) as ledger:
        assert (await read_state(output)).updated_s is None
        await ledger.note_input_rows(10)
        await ledger.commit([entry_of(number) for number in range(10)])
        assert await read_state(output) == ledger.state
        assert ledger.state.input_rows == 10
    assert await read_state(output) == ledger.state


async def test_a_journal_of_another_version_is_refused(output: Path) -> None:
    """It is sound, so it is neither read nor put aside."""
    await begun(output)
    journal = Journal.open(Paths(output).journal, DISK)
    journal.set_about(About({}, version=99))
    journal.close()
    with pytest.raises(JournalVersionError, match="version 99"):
        await begun_again(output)
    with pytest.raises(JournalVersionError):
        await read_state(output)


@pytest.mark.parametrize(
    ("what", "hint"),
    [("settings", "with --go-on"), ("groups", "triollama batch resume .*answers.jsonl makes")],
)
async def test_a_broken_journal_is_told_to_a_reader(output: Path, what: str, hint: str) -> None:
    """Who only asks for the state does not repair, and learns whether what was asked is lost."""
    await begun(output, 400)
    journal = Paths(output).journal
    data = journal.read_bytes()
    about = data.index(b'"settings"')
    groups = data.index(b"TimeoutError")
    assert about // 4096 != groups // 4096
    at = about if what == "settings" else groups
    damaged = data[:at] + b"#" * 8 + data[at + 8 :]
    journal.write_bytes(damaged)
    with pytest.raises(JournalBrokenError, match=hint):
        await read_state(output)
    assert journal.read_bytes() == damaged


async def test_a_journal_that_is_gone_is_told_to_a_reader(output: Path) -> None:
    """With what to do, unless the file is not a batch's."""
    await begun(output)
    Paths(output).journal.unlink()
    with pytest.raises(NoBatchError, match="with --go-on"):
        await read_state(output)
    put(output, b"mine")
    with pytest.raises(NoBatchError, match="look for its name"):
        await read_state(output)


async def test_a_cancelled_commit_wrote_nothing_or_is_done(output: Path) -> None:
    """Cancelled before it begins, it raises; begun, it ends as if it were not cancelled."""
    async with open_ledger(output, SETTINGS, is_resumed=False) as ledger:
        with trio.CancelScope() as scope:
            scope.cancel()
            await ledger.commit([entry_of(0)])
        assert scope.cancelled_caught
        assert ledger.standing(0, digest_of(0)) is Standing.NEW

        begun_and_done = []

        async def commit() -> None:
            await ledger.commit([entry_of(1)])
            begun_and_done.append(True)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(commit)
            while not ledger._limiter.borrowed_tokens:
                await trio.lowlevel.cancel_shielded_checkpoint()
            nursery.cancel_scope.cancel()
        assert begun_and_done == [True]
    assert content(output) == entry_of(1).record


async def test_it_closes_when_cancelled(output: Path) -> None:
    """The lock is free afterwards."""
    with trio.CancelScope() as scope:
        async with open_ledger(output, SETTINGS, is_resumed=False):
            scope.cancel()
            await trio.sleep_forever()
    await begun_again(output)


async def test_commits_at_the_same_time_follow_each_other(output: Path) -> None:
    """Tasks may commit side by side; a row that two of them bring is refused to one."""
    refused = []

    async def commit(number: int) -> None:
        try:
            await ledger.commit([entry_of(number)])
        except ValueError:
            refused.append(number)

    async with open_ledger(output, SETTINGS, is_resumed=False) as ledger:
        async with trio.open_nursery() as nursery:
            for number in [*range(20), 7]:
                nursery.start_soon(commit, number)
    assert refused == [7]
    assert_each_once(output, 20)


async def test_an_output_that_is_removed_stops_the_batch(output: Path) -> None:
    """It is noticed at the next commit, and a resume asks for the rows again."""
    async with open_ledger(output, SETTINGS, is_resumed=False) as ledger:
        await ledger.commit([entry_of(0), entry_of(4)])
        put(output, None)
        with pytest.raises(LedgerError, match="removed"):
            await ledger.commit([entry_of(1)])
        with pytest.raises(LedgerError, match=r"nothing more is kept.*removed"):
            await ledger.commit([entry_of(2)])
    async with open_ledger(output, SETTINGS, is_resumed=True) as ledger:
        assert ledger.recovery is not None
        assert ledger.recovery.forgotten_rows == 1
        await ledger.commit(missing(ledger, 5))
    assert_each_once(output, 5)


async def test_an_output_that_another_program_writes_to_stops_the_batch(output: Path) -> None:
    """Its bytes are cut off at the next opening."""
    async with open_ledger(output, SETTINGS, is_resumed=False) as ledger:
        await ledger.commit([entry_of(0)])
        with output.open("ab") as file:
            file.write(b"what is this?\n")
        with pytest.raises(LedgerError, match="something else"):
            await ledger.commit([entry_of(1)])
    async with open_ledger(output, SETTINGS, is_resumed=True) as ledger:
        await ledger.commit(missing(ledger, 5))
    assert_each_once(output, 5)


async def test_a_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    """With its name."""
    with pytest.raises(ChoiceError, match=r"there is no folder .*no for the output a\.jsonl"):
        async with open_ledger(tmp_path / "no" / "a.jsonl", SETTINGS, is_resumed=False):
            pass


@pytest.mark.parametrize(
    ("output", "told"),
    [
        (Path(), "has no name"),
        (Path(".."), "is a folder; give a file, such as"),
        (Path(os.devnull), "is a device or a pipe"),
    ],
)
@pytest.mark.skipif(sys.platform == "win32", reason="devices have other names")
async def test_what_can_be_no_file_is_told(output: Path, told: str) -> None:
    """Whatever is wanted of it, and nothing is made beside it."""
    for is_resumed in (False, True, None):
        with pytest.raises(ChoiceError, match=told):
            async with open_ledger(output, SETTINGS, is_resumed=is_resumed):
                pass
    with pytest.raises(ChoiceError, match=told):
        await read_state(output)
    assert "null.journal" not in os.listdir(Path(os.devnull).parent)  # noqa: PTH208 - names only


@pytest.mark.parametrize("kind", ["commit", "sync_folder"])
async def test_a_batch_that_cannot_be_begun_leaves_nothing(output: Path, kind: str) -> None:
    """Its files are made, or none of them."""
    with pytest.raises(LedgerError):
        async with open_ledger(
            output, SETTINGS, is_resumed=False, disk=FaultyDisk(kind=kind, nth=1)
        ):
            pass
    assert list(output.parent.iterdir()) == []


async def test_prompts_and_answers_are_in_no_repr(output: Path) -> None:
    """Settings and records may hold what nobody but the user should see."""
    async with open_ledger(output, {"system": "canary"}, is_resumed=False) as ledger:
        assert "canary" not in repr(ledger.state)
    assert "canary" not in repr(Entry(0, b"", b"canary\n"))


async def test_notes_are_added_to(output: Path) -> None:
    """Those that are named replace what was there, also after a reopening; others stay."""
    async with open_ledger(output, SETTINGS, is_resumed=False, notes={"a": 1, "b": 2}) as ledger:
        await ledger.note({"b": 3})
        assert ledger.state.notes == {"a": 1, "b": 3}
        await ledger.commit([entry_of(0)])
    async with open_ledger(output, None, is_resumed=True) as ledger:
        assert ledger.state.notes == {"a": 1, "b": 3}
