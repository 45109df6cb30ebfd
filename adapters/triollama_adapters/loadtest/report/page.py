"""One HTML file that holds a whole report: data, script and style, nothing from elsewhere.

A policy in the page forbids the browser to load anything at all, and to run any script but the
three whose hashes it names; so a page that is opened years later, offline, or by somebody else
shows what it showed here, and tells nobody.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from functools import cache
from html import escape
from importlib.resources import files
from typing import Any, Final

import msgspec

from triollama_adapters.loadtest.measures.compare import Difference
from triollama_adapters.loadtest.report.compared import tell_search
from triollama_adapters.loadtest.report.definitions import FIGURES, METERS, TERMS
from triollama_adapters.loadtest.report.facts import tell_run
from triollama_adapters.loadtest.report.remarks import remark
from triollama_adapters.loadtest.report.searches import Found, Run, differences_of, runs_of
from triollama_adapters.loadtest.report.words import Remark, describe
from triollama_adapters.loadtest.result import Result

__all__ = ["BYTES_MAX", "make_page"]

BYTES_MAX: Final = 2_000_000
"""A page that can be sent by mail and opens at once."""

POINTS_MOST: Final = 600
"""Of a curve: more than a screen has room for."""

POINTS_ALL: Final = 2_400
"""Of the curves of all runs together; a run takes some 300 bytes per point."""

POINTS_LEAST: Final = 40

RUNS_MOST: Final = 60
"""Runs that are shown one by one; a search has fewer."""

_SCRIPTS: Final = ("format", "paint", "charts", "curve", "heat", "bars", "parts", "search", "main")
_LICENCES: Final = (
    ("uPlot 1.6.32", "uplot"),
    ("htm 3.1.1", "htm"),
    ("preact, within htm", "preact"),
)


def make_page(
    results: Sequence[Result],
    *,
    search: Found | None = None,
    differences: Sequence[Difference] | None = None,
) -> str:
    """The page of one or several runs.

    Args:
        results: runs by themselves, in the order that they are to have; not looked at where
            `search` has runs of its own.
        search: what was found; None for runs by themselves.
        differences: between the first two runs; None for what `measures.compare` finds.

    Returns:
        HTML, below `BYTES_MAX` as UTF-8 for any number of requests.
    """
    changes = differences_of(results, search, differences)
    runs = runs_of(results, search)[:RUNS_MOST]
    points = max(POINTS_LEAST, min(POINTS_MOST, POINTS_ALL // max(1, len(runs))))
    data = {
        "search": tell_search(results, search, changes),
        "runs": [{**tell_run(each.result, points), "label": each.label} for each in runs],
        "terms": {name: [each.title, each.meaning] for name, each in TERMS.items()},
        "figures": {name: [each.title, each.meaning] for name, each in (METERS | FIGURES).items()},
    }
    return _html(_title(runs, data), _plain(runs, data), data)


def _title(runs: Sequence[Run], data: dict[str, Any]) -> str:
    if data["search"] is not None:
        return str(data["search"]["title"])
    return runs[0].result.name or "Load test" if runs else "Load test"


def _plain(runs: Sequence[Run], data: dict[str, Any]) -> str:
    """The report in words, for whoever has no script: it is there before any of it runs."""
    parts = []
    if data["search"] is not None:
        parts.append(f"<h1>{escape(data['search']['headline'])}</h1>")
    for run in runs:
        parts.append(f"<h2>{escape(describe(run.result))}</h2>")
        parts.append(_listed(remark(run.result)))
    return "\n".join(parts)


def _listed(remarks: Sequence[Remark]) -> str:
    return "<ul>" + "".join(f"<li>{escape(each.text)}</li>" for each in remarks) + "</ul>"


def _html(title: str, plain: str, data: dict[str, Any]) -> str:
    style, scripts = _style(), _scripts()
    policy = "; ".join(
        (
            "default-src 'none'",
            "script-src " + " ".join(_hash(each) for each in scripts),
            f"style-src {_hash(style)}",
            "img-src data: blob:",
            "base-uri 'none'",
            "form-action 'none'",
        )
    )
    tags = "\n".join(f"<script>{each}</script>" for each in scripts)
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="referrer" content="no-referrer">
<title>{escape(title)} · triollama load test</title>
<!--
{_notice()}
-->
<style>{style}</style>
</head>
<body>
<div id="app"><main class="plain">
{plain}
</main></div>
<script type="application/json" id="data">{_embedded(data)}</script>
{tags}
</body>
</html>
"""


def _embedded(data: dict[str, Any]) -> str:
    """JSON that no HTML parser takes for anything else: without ``<``, ``>``, ``&`` and U+2028."""
    text = msgspec.json.encode(data).decode()
    for sign in "<>&\u2028\u2029":
        text = text.replace(sign, f"\\u{ord(sign):04x}")
    return text


@cache
def _notice() -> str:
    """The licences of what is within the page and not ours: they want to go with every copy."""
    here = files(__package__)
    texts = (
        f"{name}:\n\n" + here.joinpath("vendor", f"{file}.LICENSE.txt").read_text("utf-8")
        for name, file in _LICENCES
    )
    return "\n\n".join(texts).replace("--", "- -")


@cache
def _style() -> str:
    here = files(__package__)
    vendored = here.joinpath("vendor", "uplot-1.6.32.min.css").read_text("utf-8")
    return vendored + here.joinpath("app", "page.css").read_text("utf-8")


@cache
def _scripts() -> tuple[str, ...]:
    """The two libraries and the page's own script, each as one text."""
    here = files(__package__)
    own = "\n".join(here.joinpath("app", f"{name}.js").read_text("utf-8") for name in _SCRIPTS)
    return (
        here.joinpath("vendor", "uplot-1.6.32.min.js").read_text("utf-8"),
        here.joinpath("vendor", "htm-preact-standalone-3.1.1.min.js").read_text("utf-8"),
        f'(() => {{\n"use strict";\n{own}\n}})();',
    )


def _hash(text: str) -> str:
    digest = hashlib.sha256(text.encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"
