"""What a run tells: the outcome of one scenario, and the sum of many."""

from __future__ import annotations

from collections import Counter

import attrs

__all__ = ["Report", "Tally"]


@attrs.frozen(kw_only=True)
class Report:
    """One scenario that was run.

    Attributes:
        seed: which.
        failures: what was wrong; empty if all was well.
        outcomes: requests by outcome, and failed ones by their kind of error.
        faults: how often each kind of fault acted.
        ways: attempts by the way in which they were made.
        checks: invariants that were looked at and held.
        virtual_s: how long it took, in virtual seconds.
        trace: everything that happened, as text, one event each.
        digest: a hash of that.
    """

    seed: int
    failures: tuple[str, ...]
    outcomes: Counter[str]
    faults: Counter[str]
    ways: Counter[str]
    checks: int
    virtual_s: float
    trace: tuple[str, ...] = attrs.field(repr=False)
    digest: str


@attrs.define
class Tally:
    """The sum of many reports."""

    seeds: int = 0
    failed: list[int] = attrs.field(factory=list)
    outcomes: Counter[str] = attrs.field(factory=Counter)
    faults: Counter[str] = attrs.field(factory=Counter)
    ways: Counter[str] = attrs.field(factory=Counter)
    checks: int = 0
    virtual_s: float = 0.0

    def add(self, report: Report) -> None:
        """Add one."""
        self.seeds += 1
        if report.failures:
            self.failed.append(report.seed)
        self.outcomes += report.outcomes
        self.faults += report.faults
        self.ways += report.ways
        self.checks += report.checks
        self.virtual_s += report.virtual_s

    def lines(self) -> list[str]:
        """The summary, for people."""
        hours = self.virtual_s / 3600
        return [
            f"{self.seeds:,} seeds, {hours:.1f} virtual hours, {self.checks:,} invariants checked",
            f"{self.outcomes.total():,} requests: {_listed(self.outcomes)}",
            f"attempts: {_listed(self.ways)}",
            f"{self.faults.total():,} faults: {_listed(self.faults)}",
            f"failing seeds: {', '.join(map(str, sorted(self.failed))) or 'none'}",
        ]


def _listed(counts: Counter[str]) -> str:
    return ", ".join(f"{name} {count:,}" for name, count in sorted(counts.items()))
