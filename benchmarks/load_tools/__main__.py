"""``python -m benchmarks.load_tools``: each tool against a simulated server, as a table."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from benchmarks.load_tools.running import Compared, ToolError, compare
from benchmarks.load_tools.tools import SHARES, TOOLS

METRICS = ("ttft", "icl", "tpot", "e2e")

EXAMPLE = """\
example, for tools in environments below tools/:
  for tool in guidellm aiperf locust vllm; do
      python3 -m venv tools/$tool && tools/$tool/bin/pip install $tool
  done
  python -m benchmarks.load_tools --tools tools --streams 100 --requests 500

exit status:
  0 all that are installed were measured, 1 one failed"""


def main() -> int:
    """Read the command line, measure, print Markdown; return the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.load_tools",
        description="Load testers against the same simulated server, which knows the truth.",
        epilog=EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    names = [tool.name for tool in TOOLS]
    parser.add_argument("--tools", type=Path, default=Path("tools"), metavar="FOLDER")
    parser.add_argument("--only", nargs="+", choices=names, default=names, metavar="NAME")
    parser.add_argument("--streams", type=int, default=100, metavar="N", help="default: 100")
    parser.add_argument("--requests", type=int, default=500, metavar="N", help="default: 500")
    parser.add_argument("--tokens", type=int, default=64, metavar="N", help="default: 64")
    given = parser.parse_args()
    found, is_whole = [], True
    for tool in TOOLS:
        if tool.name not in given.only:
            continue
        try:
            found.append(
                compare(tool, given.streams, given.requests, given.tokens, given.tools.resolve())
            )
        except ToolError as error:
            is_whole = is_whole and "not installed" in str(error)
            print(error, file=sys.stderr)
        else:
            print(f"{tool.name}: told {found[-1].told}, truly {found[-1].true}", file=sys.stderr)
    print("\n".join(table(found)))
    return 0 if is_whole else 1


def table(found: Sequence[Compared]) -> Iterator[str]:
    """The lines of the table: errors in milliseconds, what was said less what was."""
    heads = [f"{metric.upper()} {share}" for metric in METRICS for share in SHARES]
    yield f"| Tool | {' | '.join(heads)} | CPU per request |"
    yield f"|---|{'---:|' * (len(heads) + 1)}"
    if found:
        truths = [
            found[0].true[f"{metric} {share}"] * 1e3 for metric in METRICS for share in SHARES
        ]
        yield f"| the truth (of the first run) | {' | '.join(f'{ms:,.1f}' for ms in truths)} | |"
    for each in found:
        cells = [_cell(each, f"{metric} {share}") for metric in METRICS for share in SHARES]
        cost_ms = each.cpu_s * 1e3
        yield f"| {each.tool.name} | {' | '.join(cells)} | {cost_ms:,.1f} ms |"


def _cell(compared: Compared, figure: str) -> str:
    error_s = compared.error_s(figure)
    return "not told" if error_s is None else f"{error_s * 1e3:+,.2f}"


if __name__ == "__main__":
    sys.exit(main())
