"""What is drawn covers what it should: every fault, every way of asking and of reading."""

from __future__ import annotations

from tests.simulation.asks import EMBEDDING_MODEL, Reading
from tests.simulation.scenario import HORIZON_S, SERVERS_MAX, draw
from tests.simulation.truth import Truth

from triollama_adapters.simulator.faults import KINDS

SCENARIOS = [draw(seed) for seed in range(200)]


def test_every_fault_of_the_simulator_is_on_the_menu() -> None:
    """A fault that is added there must be added here."""
    drawn = {
        rule.fault.kind
        for scenario in SCENARIOS
        for strike in scenario.strikes
        for rule in strike.rules
    }
    assert drawn == set(KINDS)


def test_every_change_of_the_fleet_is_drawn() -> None:
    """Servers die, restart, come and go; the clock jumps."""
    kinds = {strike.kind for scenario in SCENARIOS for strike in scenario.strikes}
    assert kinds == {"faults", "kill", "restart", "jump", "add", "drain", "remove"}


def test_every_way_of_asking_and_reading_is_drawn() -> None:
    """All routes, readings and answers to a break, with and without deadlines."""
    asks = [ask for scenario in SCENARIOS for ask in scenario.asks]
    assert {ask.route for ask in asks} == {"chat", "generate", "embed"}
    assert {ask.reading for ask in asks} == set(Reading)
    assert {ask.on_break for ask in asks} == {"continue", "restart", "raise"}
    assert {name for ask in asks for name in ask.fields} >= {"raw", "format", "tools", "options"}
    assert len({ask.is_repeatable for ask in asks}) == 2
    assert len({ask.deadline_s is None for ask in asks}) == 2


def test_fleets_of_all_sizes_are_drawn() -> None:
    """From one server to the most."""
    sizes = {sum(not each.is_reserve for each in one.servers) for one in SCENARIOS}
    assert sizes == set(range(1, SERVERS_MAX + 1))


def test_nothing_happens_to_the_spared_server() -> None:
    """Else nothing could be promised; and nothing happens after the horizon."""
    for scenario in SCENARIOS:
        assert all(strike.url != scenario.spared for strike in scenario.strikes if scenario.spared)
        assert all(strike.at_s <= HORIZON_S for strike in scenario.strikes)


def test_the_truth_is_the_same_twice() -> None:
    """Two healthy servers of one fleet say the same, to the last field."""
    scenario = SCENARIOS[0]
    first = Truth(scenario.servers[0].config)
    second = Truth(scenario.servers[0].config)
    for ask in scenario.asks:
        whole = second.of(ask)
        assert whole == first.of(ask)
        assert whole.embeddings if ask.model == EMBEDDING_MODEL else whole.output_tokens
