"""The options of ``triollama load`` that say where what was found goes."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated, Final

import attrs
from cyclopts import Group, Parameter

from triollama_adapters.cli._failures import CliError, unwritable
from triollama_adapters.cli._sink import STANDARD
from triollama_adapters.loadtest.report.write import check_report_path, write_report

__all__ = ["FILES", "NOWHERE", "Files", "is_standard", "may_replace", "put"]

FILES: Final = Group("What is written", sort_key=6)

HYPHEN: Final = Parameter(allow_leading_hyphen=True)


@Parameter(name="*", group=FILES)
@attrs.frozen(kw_only=True)
class Files:
    """What is written, beside the summary on standard output.

    Attributes:
        report: One HTML file with everything, which needs no network.
        json: The figures, for compare, report and programs; - is standard output, and the summary
            goes to standard error then.
        csv: The figures as a table; - as for --json.
        markdown: A summary for an issue; - as for --json.
        force: Replace files that exist.
    """

    report: Annotated[Path | None, HYPHEN] = None
    json: Annotated[Path | None, HYPHEN] = None
    csv: Annotated[Path | None, HYPHEN] = None
    markdown: Annotated[Path | None, HYPHEN] = None
    force: Annotated[bool, Parameter(negative=())] = False

    def paths(self) -> Iterator[Path]:
        """Those that were given, but for standard output."""
        for path in (self.report, *self._streams()):
            if path is not None and not is_standard(path):
                yield path

    def _streams(self) -> list[Path]:
        """Those that could go to standard output."""
        return [path for path in (self.json, self.csv, self.markdown) if path is not None]

    @property
    def is_stdout_taken(self) -> bool:
        """Whether standard output is for programs, so that the summary goes elsewhere."""
        return any(map(is_standard, self._streams()))

    def check(self, *more: Path | None) -> bool:
        """See before the run that all can be written; on a terminal ask whether to replace.

        It blocks, and is for the main thread before anything else runs: a question in another one
        could not be ended by Ctrl-C.

        Args:
            more: other files that will be written.

        Returns:
            Whether files that exist may be replaced.

        Raises:
            CliError: two of them are one file, two go to standard output, or the page does.
            ReportError: a file exists, is a folder, or has none.
        """
        self._check_streams()
        paths = [*self.paths(), *(path for path in more if path is not None)]
        for path in paths:
            if sum(path.absolute() == other.absolute() for other in paths) > 1:
                raise CliError(f"{path} is named twice; each output needs its own file")
        force = self.force
        if not force:
            existing = [path for path in paths if path.is_file()]
            force = bool(existing) and may_replace(existing)
        for path in paths:
            check_report_path(path, force=force)
        return force

    def _check_streams(self) -> None:
        if self.report is not None and is_standard(self.report):
            raise CliError(
                "--report is a page for a browser, and needs a file, such as report.html; "
                "--markdown - writes a summary to standard output"
            )
        if sum(map(is_standard, self._streams())) > 1:
            raise CliError("only one of --json, --csv and --markdown can go to standard output")


NOWHERE: Final = Files()


def is_standard(path: Path) -> bool:
    """Whether it stands for standard output."""
    return str(path) == STANDARD


def may_replace(paths: list[Path]) -> bool:
    """Ask a person whether files may be replaced; false where there is none to ask."""
    if not (sys.stdin is not None and sys.stdin.isatty() and sys.stderr.isatty()):
        return False
    names = ", ".join(map(str, paths))
    sys.stderr.write(f"{names} exist{'s' if len(paths) == 1 else ''}; replace? [y/N] ")
    sys.stderr.flush()
    return sys.stdin.readline().strip().lower() in {"y", "yes"}


def put(path: Path | None, make: Callable[[], str], *, force: bool) -> str:
    """Make a text and write it.

    Args:
        path: where to; None: it is not even made.
        make: makes it.
        force: whether a file that exists is replaced.

    Returns:
        Where it is; empty for standard output or nowhere.

    Raises:
        ReportError: it cannot be written.
        CliError: standard output cannot.
    """
    if path is None:
        return ""
    text = make()
    if not is_standard(path):
        write_report(path, text, force=force)
        return str(path)
    try:
        sys.stdout.write(text if text.endswith("\n") else text + "\n")
        sys.stdout.flush()
    except OSError as error:
        raise unwritable("standard output", error) from error
    return ""
