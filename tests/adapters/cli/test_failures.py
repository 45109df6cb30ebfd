"""One line and one exit code for every error."""

import pytest

from triollama import (
    ConfigError,
    ConnectError,
    EngineClosedError,
    EngineFaultError,
    FleetUnavailableError,
    InvalidRequestError,
    PartialFailureError,
    ServerFailedError,
    TriollamaError,
)
from triollama_adapters.cli._failures import (
    EXIT_CODES,
    CliError,
    UnreachableError,
    explain,
    is_unreachable,
)


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (CliError("x"), 2),
        (ConfigError("x"), 2),
        (InvalidRequestError("x"), 2),
        (FileNotFoundError("x"), 2),
        (UnreachableError("x"), 3),
        (ConnectError("x"), 3),
        (FleetUnavailableError([]), 3),
        (PartialFailureError("x", done=(), failures={"a": ConnectError("x")}), 3),
        (PartialFailureError("x", done=("b",), failures={"a": ConnectError("x")}), 1),
        (
            PartialFailureError(
                "x",
                done=(),
                failures={"a": ConnectError("x"), "b": InvalidRequestError("x")},
            ),
            1,
        ),
        (EngineClosedError("x"), 1),
        (EngineFaultError("x"), 70),
        (ValueError("x"), 70),
        (KeyboardInterrupt(), 130),
    ],
)
def test_every_error_has_its_code(error: BaseException, code: int) -> None:
    """The codes are those that the help lists."""
    assert explain(error)[1] == code
    assert code in EXIT_CODES


@pytest.mark.parametrize(
    ("error", "is_so"),
    [
        (ConnectError("x"), True),
        (FleetUnavailableError([ConnectError("x"), ConnectError("y")]), True),
        (FleetUnavailableError([ConnectError("x"), ServerFailedError("y", status=500)]), False),
        (ServerFailedError("x", status=500), False),
    ],
)
def test_failing_is_not_being_unreachable(error: TriollamaError, *, is_so: bool) -> None:
    """Only if nobody was connected to, a run ends with exit code 3."""
    assert is_unreachable(error) == is_so


def test_the_known_error_of_a_group_is_told() -> None:
    """What this program raised on purpose says more than what it caused around it."""
    group = BaseExceptionGroup(
        "", [ValueError("noise"), ExceptionGroup("", [CliError("disk full")])]
    )
    assert explain(group) == ("disk full", 2)


def test_an_interrupt_in_a_group_is_an_interrupt() -> None:
    """Ctrl-C in the middle of anything ends with 130."""
    group = BaseExceptionGroup("", [CliError("x"), KeyboardInterrupt()])
    assert explain(group)[1] == 130


def test_a_defect_asks_for_a_report() -> None:
    """An error that nobody foresaw says how to find out more."""
    message, code = explain(ZeroDivisionError("division by zero"))
    assert code == 70
    assert "--debug" in message
