"""The heap of due times."""

from __future__ import annotations

from math import inf
from typing import Any

from triollama_adapters.simulator.agenda import Agenda


def test_tasks_fire_in_order_of_time_then_of_coming() -> None:
    """What is due earlier comes first; among equals, what was added first."""
    agenda, fired = Agenda(), []
    for name, due in (("b", 2.0), ("c", 2.0), ("a", 1.0), ("later", 9.0)):
        agenda.call_at(due, lambda _now, name=name: fired.append(name))
    assert agenda.next_due == 1.0
    agenda.run(2.0, tasks_max=99)
    assert fired == ["a", "b", "c"]
    assert (agenda.next_due, len(agenda)) == (9.0, 1)


def test_a_cancelled_timer_does_nothing() -> None:
    """It leaves the heap when its time comes."""
    agenda, fired = Agenda(), []
    agenda.call_at(1.0, fired.append).cancel()
    agenda.run(1.0, tasks_max=99)
    assert (fired, agenda.next_due) == ([], inf)


def test_a_task_that_returns_a_time_fires_again() -> None:
    """And what a task adds while it fires is due in the same run."""

    class Twice:
        times = 0

        def fire(self, now: float) -> float | None:
            self.times += 1
            return now if self.times < 2 else None

    agenda, task = Agenda(), Twice()
    agenda.add(0.0, task)
    agenda.run(5.0, tasks_max=99)
    assert (task.times, len(agenda)) == (2, 0)


def test_a_run_is_bounded() -> None:
    """What is left over stays due."""
    agenda, fired = Agenda(), []
    for _ in range(5):
        agenda.call_at(0.0, fired.append)
    agenda.run(1.0, tasks_max=3)
    assert (len(fired), agenda.next_due) == (3, 0.0)


def test_a_task_that_fails_does_not_stop_the_others() -> None:
    """Its owner and the error are told; it does not fire again."""
    told: list[Any] = []
    agenda = Agenda(on_defect=lambda owner, error: told.append((owner, type(error))))
    fired: list[float] = []

    def fail(_now: float) -> None:
        raise ZeroDivisionError

    agenda.call_at(1.0, fail, owner="me")
    agenda.call_at(1.0, fired.append)
    agenda.run(1.0, tasks_max=10)
    assert told == [("me", ZeroDivisionError)]
    assert fired == [1.0]
    assert len(agenda) == 0
