"""What does telemetry cost while nobody listens? CPU of making a fact and publishing it."""

from __future__ import annotations

from benchmarks.figures import Bar
from benchmarks.measure import Measurement, Meter
from benchmarks.trial import Finding, Trial, TrialRow
from triollama._facts import SlotsLearnt
from triollama.actors.facts import FactHub

FACTS, WARM_UP = 300_000, 10_000

TRIAL = Trial(
    name="fact_cpu",
    rows=(
        TrialRow(
            "fact-cpu",
            "make a fact and publish it, with no subscriber",
            "made and published",
            "µs CPU per fact",
            Bar(1),
            (("published alone", "µs CPU per fact"),),
        ),
    ),
    repetitions_max=3,
)


def run(_seed: int) -> Finding:
    """Measure with one fact again and again, and with a new one each time."""
    hub = FactHub()
    _publish(hub, WARM_UP)
    published, made = _publish(hub, FACTS), _make_and_publish(hub, FACTS)
    count = hub.statistics().published.get(SlotsLearnt.__name__, 0)
    wanted = WARM_UP + 2 * FACTS
    faults = () if count == wanted else (f"{count} facts were counted instead of {wanted}",)
    figures = {"published alone": published.cpu_us_each, "made and published": made.cpu_us_each}
    return Finding(figures, faults)


def _publish(hub: FactHub, count: int) -> Measurement:
    fact = SlotsLearnt(at_s=0.0, endpoint="h", model="llama3.2", slots=4)
    meter = Meter()
    meter.begin()
    for _ in range(count):
        hub.publish(fact)
    return meter.end(count)


def _make_and_publish(hub: FactHub, count: int) -> Measurement:
    meter = Meter()
    meter.begin()
    for number in range(count):
        hub.publish(SlotsLearnt(at_s=0.0, endpoint="h", model="llama3.2", slots=number))
    return meter.end(count)
