"""Configuration is checked when it is made: every field, with every kind of bad value."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from triollama._config import EndpointConfig, EngineConfig, ProbeConfig, RateLimit, TLSConfig
from triollama._errors import ConfigError

URL = "http://gpu-1:11434"
PARTS = {"probe", "limits", "check_models", "prices"}
FIELDS = [field.name for field in attrs.fields(EngineConfig) if field.name not in PARTS]
SECONDS = [name for name in FIELDS if name.endswith("_s")]
COUNTS = [name for name in FIELDS if name not in SECONDS]
INFINITE = {"first_token_s", "stall_s", "total_s", "line_s"}
ZERO = {"grace_s", "line_max", "retry_wait_s"}
LEAST = {"line_max": 0, "attempts_max": 1, "buffer_bytes_high": 1, "line_bytes_high": 1}
NEVER: list[Any] = [
    math.nan,
    -1,
    -0.001,
    -math.inf,
    -(10**5_000),
    True,
    False,
    "5",
    None,
    b"5",
    [5],
]


@pytest.mark.parametrize("name", FIELDS)
@pytest.mark.parametrize("value", NEVER, ids=lambda value: type(value).__name__)
def test_no_field_takes_what_is_no_amount(name: str, value: Any) -> None:
    """NaN, negative, bool, text and None are refused by the field's name."""
    with pytest.raises(ConfigError, match=name):
        EngineConfig(**{name: value})


@pytest.mark.parametrize("name", FIELDS)
def test_the_error_tells_what_it_was_and_may_be(name: str) -> None:
    """The number is shown, and what would be right; a text is not shown."""
    with pytest.raises(ConfigError, match=rf"{name} must be .* not -7"):
        EngineConfig(**{name: -7})
    with pytest.raises(ConfigError, match=rf"{name} must be .* not str"):
        EngineConfig(**{name: "secret"})


@pytest.mark.parametrize("name", SECONDS)
def test_seconds(name: str) -> None:
    """Any positive number; infinity where waiting for ever makes sense; zero for the grace only."""
    for value in (0.001, 1, 1e6):
        assert getattr(EngineConfig(**{name: value}), name) == value
    for value, is_fine in ((math.inf, name in INFINITE), (0, name in ZERO), (10**400, False)):
        if is_fine:
            assert getattr(EngineConfig(**{name: value}), name) == value
        else:
            with pytest.raises(ConfigError, match=name):
                EngineConfig(**{name: value})


@pytest.mark.parametrize("name", COUNTS)
def test_counts(name: str) -> None:
    """Whole numbers from the least one that makes sense."""
    least = LEAST.get(name, 1_024)
    for value in (least, least + 1, 10**9):
        assert getattr(EngineConfig(**{name: value}), name) == value
    for bad in (least - 1, float(least + 1), math.inf):
        with pytest.raises(ConfigError, match=name):
            EngineConfig(**{name: bad})


@given(st.sampled_from(FIELDS), st.floats() | st.integers() | st.text() | st.booleans())
def test_any_value_is_taken_or_a_config_error(name: str, value: Any) -> None:
    """No value whatever raises anything else."""
    try:
        config = EngineConfig(**{name: value})
    except ConfigError:
        return
    assert getattr(config, name) == value
    assert value >= 0


def test_the_defaults_are_in_order() -> None:
    """Of two limits that depend on each other the inner is the smaller."""
    config = EngineConfig()
    assert config.connect_s < config.stall_s < config.first_token_s <= config.total_s
    assert config.buffer_bytes_high < config.line_bytes_max < config.answer_bytes_max
    assert config.grace_s < config.idle_s


@pytest.mark.parametrize("config", [EngineConfig(), EndpointConfig(URL), TLSConfig()])
def test_configuration_is_frozen(config: Any) -> None:
    """What was checked cannot change."""
    name = attrs.fields(type(config))[0].name
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        setattr(config, name, 1)


# ---- endpoints


def test_an_endpoint_has_a_name() -> None:
    """By default it is host and port."""
    assert EndpointConfig(f"{URL}/").name == "gpu-1:11434"
    assert EndpointConfig(URL, "best").name == "best"
    assert EndpointConfig("http://GPU-1").url == "http://gpu-1:80"


@pytest.mark.parametrize("url", [None, 7, b"http://a", "", "gpu-1", "ftp://a", "http://a/b"])
def test_a_wrong_url(url: Any) -> None:
    """An address that is none is refused."""
    with pytest.raises(ConfigError):
        EndpointConfig(url)


@pytest.mark.parametrize("name", [7, b"x", ["x"], None])
def test_a_wrong_name(name: Any) -> None:
    """A name is text."""
    with pytest.raises(ConfigError, match="name"):
        EndpointConfig(URL, name)


@pytest.mark.parametrize("value", [*NEVER, 0, 1.5, math.inf], ids=lambda v: type(v).__name__)
def test_a_wrong_limit(value: Any) -> None:
    """At least one request can be in flight."""
    with pytest.raises(ConfigError, match="max_in_flight"):
        EndpointConfig(URL, max_in_flight=value)


@pytest.mark.parametrize(
    "headers",
    [
        None,
        "a: b",
        [("a", "b")],
        {"": "x"},
        {"a b": "x"},
        {"a:": "x"},
        {"a\r\nb": "x"},
        {"ä": "x"},
        {7: "x"},
        {"a": 7},
        {"a": "x\r\nb: y"},
        {"a": "x\0"},
        {"a": "ä"},
        {"a": "\x7f"},
        {"Host": "x"},
        {"content-LENGTH": "0"},
        {"Transfer-Encoding": "chunked"},
        {"Accept-Encoding": "gzip"},
        {"Connection": "close"},
    ],
)
def test_wrong_headers(headers: Any) -> None:
    """Nothing that could split a request, and nothing that is the engine's to say."""
    with pytest.raises(ConfigError):
        EndpointConfig(URL, headers=headers)


def test_headers_are_copied_and_hidden() -> None:
    """Later changes to the mapping change nothing, and no value is ever shown."""
    given_: dict[str, str] = {"Authorization": "Bearer s3cret"}
    config = EndpointConfig(URL, headers=given_)
    given_["x"] = "y"
    assert isinstance(config.headers, Mapping)
    assert dict(config.headers) == {"Authorization": "Bearer s3cret"}
    with pytest.raises(TypeError):
        config.headers["x"] = "y"  # type: ignore[index]  # that it fails is the point
    assert "s3cret" not in repr(config)
    with pytest.raises(ConfigError) as caught:
        EndpointConfig(URL, headers={"Authorization": "s3cret\n"})
    assert "s3cret" not in str(caught.value)


# ---- TLS


def test_tls_needs_https() -> None:
    """For a plain address TLS settings are a mistake."""
    with pytest.raises(ConfigError, match="https"):
        EndpointConfig(URL, tls=TLSConfig())
    assert EndpointConfig("https://gpu-1", tls=TLSConfig()).tls == TLSConfig()


def test_tls_files_are_paths() -> None:
    """Text becomes a path; a key needs its certificate; anything else is refused."""
    assert TLSConfig(ca_file="ca.pem").ca_file == Path("ca.pem")
    with pytest.raises(ConfigError, match="client_cert_file"):
        TLSConfig(client_key_file="key.pem")
    bad: Any
    for bad in (7, b"ca.pem", True):
        with pytest.raises(ConfigError):
            TLSConfig(ca_file=bad)


@pytest.mark.parametrize("value", [1, 0, None, "yes"])
def test_checking_models_is_a_switch(value: Any) -> None:
    """On or off, and off by default."""
    assert EngineConfig().check_models is False
    with pytest.raises(ConfigError, match="check_models must be True or False"):
        EngineConfig(check_models=value)


@pytest.mark.parametrize("value", [1.5, "free", {}])
def test_prices_know_what_answers_cost(value: Any) -> None:
    """A number is no table of prices."""
    assert EngineConfig().prices is None
    with pytest.raises(ConfigError, match="prices must be Prices"):
        EngineConfig(prices=value)


# ---- probes, limits, and what endpoints have


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("interval_s", 0),
        ("interval_s", math.inf),
        ("tags_interval_s", math.nan),
        ("timeout_s", -1),
        ("jitter", 1.01),
        ("jitter", -0.1),
        ("jitter", math.nan),
        ("jitter", "0"),
        ("failures_max", 0),
        ("successes_min", 1.5),
        ("enabled", 1),
    ],
)
def test_probes_are_checked(name: str, value: Any) -> None:
    """Each value that makes no sense is refused by its name."""
    with pytest.raises(ConfigError, match=name):
        ProbeConfig(**{name: value})


def test_models_are_not_looked_at_more_often_than_servers() -> None:
    """That would be a contradiction: they are asked for at some of the looks."""
    with pytest.raises(ConfigError, match=r"tags_interval_s \(1\) is less than interval_s \(5\)"):
        ProbeConfig(tags_interval_s=1)


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"scope": "planet", "requests_per_s": 1}, "scope must be one of"),
        ({"scope": "engine", "key": "x", "requests_per_s": 1}, "key"),
        ({"scope": "model", "key": 5, "requests_per_s": 1}, "key"),
        ({"scope": "model"}, "limits nothing"),
        ({"scope": "model", "requests_per_s": 0}, "requests_per_s"),
        ({"scope": "model", "requests_per_s": math.nan}, "requests_per_s"),
        ({"scope": "model", "requests_per_s": math.inf}, "requests_per_s"),
        ({"scope": "model", "tokens_per_min": -5}, "tokens_per_min"),
        ({"scope": "model", "tokens_per_min": True}, "tokens_per_min"),
        ({"scope": "model", "tokens_per_min": 5, "burst_s": 0}, "burst_s"),
    ],
)
def test_rates_are_checked(fields: dict[str, Any], told: str) -> None:
    """A limit that limits nothing, or everything, is a mistake."""
    with pytest.raises(ConfigError, match=told):
        RateLimit(**fields)


def test_limits_are_several_and_differ() -> None:
    """Two limits for the same thing contradict each other."""
    one = RateLimit("model", requests_per_s=1)
    assert EngineConfig(limits=[one, RateLimit("model", "m", requests_per_s=2)]).limits[0] is one
    with pytest.raises(ConfigError, match="two limits for model"):
        EngineConfig(limits=[one, RateLimit("model", tokens_per_min=5)])
    for wrong in (one, 5, [5], "engine"):
        with pytest.raises(ConfigError, match="limits"):
            EngineConfig(limits=wrong)  # type: ignore[arg-type]  # that is what is tested
    with pytest.raises(ConfigError, match="probe must be a ProbeConfig"):
        EngineConfig(probe={})  # type: ignore[arg-type]  # that is what is tested


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("num_parallel", 0),
        ("num_parallel", 1.5),
        ("weight", 0),
        ("weight", math.nan),
        ("weight", math.inf),
        ("tags", "gpu"),
        ("tags", [""]),
        ("tags", [1]),
        ("tags", 5),
    ],
)
def test_what_an_endpoint_has_is_checked(name: str, value: Any) -> None:
    """Slots, weight and tags."""
    with pytest.raises(ConfigError, match=name):
        EndpointConfig(URL, **{name: value})
    assert EndpointConfig(URL, tags=["gpu", "fast"]).tags == {"gpu", "fast"}


def test_slots_that_can_never_be_reached_are_a_contradiction() -> None:
    """The engine would never send as many."""
    with pytest.raises(ConfigError, match=r"num_parallel \(8\) is more than max_in_flight \(4\)"):
        EndpointConfig(URL, num_parallel=8, max_in_flight=4)
