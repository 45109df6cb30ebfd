"""Errors say whose fault it is, carry typed attributes, and can travel."""

from __future__ import annotations

import inspect
import pickle
from typing import Any

import pytest

from triollama import _errors
from triollama._errors import (
    AnswerTooLargeError,
    CallerError,
    ConfigError,
    ConnectionLostError,
    DeadlineExceededError,
    EndpointError,
    EngineError,
    FleetUnavailableError,
    InvalidRequestError,
    ModelNotFoundError,
    OverloadError,
    ProtocolError,
    RequestRejectedError,
    ServerBusyError,
    ServerFailedError,
    StallError,
    TriollamaError,
)

FAMILIES = (CallerError, EndpointError, EngineError)
ALL: list[type[TriollamaError]] = [getattr(_errors, name) for name in _errors.__all__]


def test_every_error_is_listed_and_has_one_family() -> None:
    """Three families, so that a caller can decide with one ``except``."""
    defined = {
        name
        for name, kind in vars(_errors).items()
        if inspect.isclass(kind) and issubclass(kind, Exception)
    }
    assert defined == set(_errors.__all__)
    for kind in ALL:
        if kind is not TriollamaError:
            assert sum(issubclass(kind, family) for family in FAMILIES) == 1, kind


@pytest.mark.parametrize("kind", [ConfigError, InvalidRequestError])
def test_bad_values_are_value_errors_too(kind: type[Exception]) -> None:
    """Who knows nothing of this library may catch `ValueError`."""
    assert issubclass(kind, ValueError)


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (
            RequestRejectedError("no", status=400, endpoint="a"),
            "a answered 400: no",
        ),
        (RequestRejectedError("no", status=400), "the server answered 400: no"),
        (ModelNotFoundError("m", endpoint="a"), "a does not have the model 'm'"),
        (
            ModelNotFoundError("m", available=("y", "x")),
            "no endpoint has the model 'm'; there are: x, y",
        ),
        (
            ModelNotFoundError("m"),
            "no endpoint has the model 'm'; there are: none that could be asked for",
        ),
        (EndpointError("gone", endpoint="a"), "a: gone"),
        (EndpointError("gone"), "gone"),
        (
            StallError("stall_s", 2.5, endpoint="a"),
            "a: nothing arrived for stall_s = 2.5 s",
        ),
        (ServerFailedError("x", status=500), "the server failed with status 500: x"),
        (ServerFailedError("x", status=200), "the server failed in the stream: x"),
        (FleetUnavailableError(()), "no endpoint could answer: no endpoint is in service"),
        (
            FleetUnavailableError([EndpointError("x", endpoint="a"), EndpointError("y")]),
            "no endpoint could answer: a: x; y",
        ),
        (
            FleetUnavailableError([EndpointError(x, endpoint=x) for x in "abaa"]),
            "no endpoint could answer: a: a (3 attempts); b: b",
        ),
        (OverloadError("full", retry_after_s=2), "full; try again in 2.0 s"),
        (DeadlineExceededError("late", limit_s=1.5), "late within 1.5 s"),
    ],
)
def test_what_errors_say(error: TriollamaError, text: str) -> None:
    """One line, with the endpoint first where one is to blame."""
    assert str(error) == text


def test_errors_carry_what_a_caller_decides_by() -> None:
    """Attributes, so that nobody has to read a text."""
    assert ModelNotFoundError("m", available=["b", "a"]).available == ("a", "b")
    assert ModelNotFoundError("m").status == 404
    assert ServerBusyError("x", status=503, retry_after_s=3.0).retry_after_s == 3.0
    assert ConnectionLostError("x", stale=True).stale
    assert issubclass(AnswerTooLargeError, ProtocolError)
    causes = [EndpointError("x")]
    assert FleetUnavailableError(causes).causes == tuple(causes)


def test_an_endpoint_named_later_is_in_the_text() -> None:
    """The wire does not know names; who does adds it."""
    error: Any = ProtocolError("junk")
    error.endpoint = "a"
    assert str(error) == "a: junk"


@pytest.mark.parametrize("kind", ALL)
def test_errors_have_a_docstring(kind: type[TriollamaError]) -> None:
    """Each says when it is raised."""
    assert kind.__doc__
    assert len(kind.__doc__) > 20


@pytest.mark.parametrize(
    "error",
    [
        EndpointError("x", endpoint="a"),
        RequestRejectedError("x", status=400, endpoint="a"),
        ModelNotFoundError("m", available=("x",), endpoint="a"),
        StallError("stall_s", 2.0, endpoint="a"),
        ServerBusyError("x", status=503, endpoint="a", retry_after_s=1.0),
        FleetUnavailableError([EndpointError("x", endpoint="a")]),
        OverloadError("x", retry_after_s=1.0),
        DeadlineExceededError("x", limit_s=1.0),
    ],
)
def test_errors_can_travel_between_processes(error: TriollamaError) -> None:
    """Pickled and back, the text and the attributes are the same."""
    copy = pickle.loads(pickle.dumps(error))
    assert type(copy) is type(error)
    assert str(copy) == str(error)
