"""Records of JSON lines, whichever way they are made."""

from collections.abc import Sequence

import attrs

from triollama_adapters.batch.input.json_lines import JsonBlock, JsonLines, JsonRecord


@attrs.define
class Pieces:
    """An input that comes in given blocks."""

    blocks: list[bytes]

    def read(self) -> bytes:
        """The next block; none at the end."""
        return self.blocks.pop(0) if self.blocks else b""


def read_all(*blocks: bytes) -> list[Sequence[JsonRecord]]:
    """What each reading gives."""
    lines = JsonLines(Pieces(list(blocks)))  # type: ignore[arg-type]
    found = []
    while (some := lines.read()) is not None:
        found.append(some)
    return found


def test_records_are_the_same_whatever_the_blocks() -> None:
    """Numbers, contents and sizes, the line that lies in two blocks and the last one included."""
    data = b"".join(b'{"n": %d}\n' % n for n in range(50)) + b'{"n": "torn'
    whole = [record for some in read_all(data) for record in some]
    assert [record.number for record in whole] == list(range(51))
    for size in (1, 7, 100):
        blocks = [data[at : at + size] for at in range(0, len(data), size)]
        assert [record for some in read_all(*blocks) for record in some] == whole


def test_blank_lines_count_and_are_not_given() -> None:
    """Also in a block of which all other lines are looked at only when they are needed."""
    first, second, third, last = read_all(b"1\n", b"\n2\n \t\n3\n", b"4\n5\n6", b"")
    assert [record.number for record in (*first, *second, *third, *last)] == [0, 2, 4, 5, 6, 7]
    assert isinstance(third, JsonBlock)


def test_a_block_makes_records_when_they_are_looked_at() -> None:
    """By place, by range and from its end; their digests can be had without them."""
    block = JsonBlock(10, [b"a", b"bb", b"ccc"])
    records = list(block)
    assert [(each.number, each.size_bytes) for each in records] == [(10, 2), (11, 3), (12, 4)]
    assert block[-1] == records[2]
    assert block[1:] == records[1:]
    assert block.digests(1, 3, 8) == records[1].digest()[:8] + records[2].digest()[:8]
