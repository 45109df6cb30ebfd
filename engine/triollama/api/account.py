"""What a server tells of itself and its account, and the searches that it relays.

Not imported by `triollama.api` itself: few programs ask for it.
"""

from __future__ import annotations

from typing import Any, Final

from attrs import field, frozen

from triollama._errors import InvalidRequestError

from ._json import counted, encode_body, veiled
from ._reply import build, build_each, read_object

__all__ = [
    "AccountResponse",
    "CloudStatus",
    "Recommendation",
    "RecommendationsResponse",
    "StatusResponse",
    "WebFetchRequest",
    "WebFetchResponse",
    "WebResult",
    "WebSearchRequest",
    "WebSearchResponse",
    "decode_account",
    "decode_recommendations",
    "decode_status",
    "decode_web_fetch",
    "decode_web_search",
]

RESULTS_MAX: Final = 10
"""What the search behind Ollama gives at most."""


@frozen(kw_only=True)
class CloudStatus:
    """Whether the server relays to Ollama's cloud.

    Attributes:
        disabled: whether that is turned off.
        source: by what: ``none``, ``env``, ``config`` or ``both``.
        extra: unknown fields.
    """

    disabled: bool = False
    source: str = ""
    extra: dict[str, Any] = field(factory=dict)


@frozen(kw_only=True)
class StatusResponse:
    """The server's switches.

    Attributes:
        cloud: whether it relays to Ollama's cloud.
        extra: unknown fields.
    """

    cloud: CloudStatus = field(factory=CloudStatus)
    extra: dict[str, Any] = field(factory=dict)


@frozen(kw_only=True)
class AccountResponse:
    """The account that a server is signed in to. Who it is does not show in ``repr``.

    Attributes:
        id: the account's.
        email: its address.
        name: its name.
        bio: what it says of itself.
        avatarurl: its picture.
        firstname: its owner's.
        lastname: its owner's.
        plan: such as ``free``.
        extra: unknown fields.
    """

    id: str = ""
    email: str = field(default="", repr=veiled)
    name: str = field(default="", repr=veiled)
    bio: str | None = field(default=None, repr=veiled)
    avatarurl: str | None = field(default=None, repr=False)
    firstname: str | None = field(default=None, repr=veiled)
    lastname: str | None = field(default=None, repr=veiled)
    plan: str = ""
    extra: dict[str, Any] = field(factory=dict, repr=counted)


def _text(value: object, name: str) -> str:
    """Check a text that must say something."""
    if not isinstance(value, str):
        raise InvalidRequestError(f"{name} must be a str, not {type(value).__name__}")
    if not value.strip():
        raise InvalidRequestError(f"{name} is empty")
    return value


def _results(value: object) -> int | None:
    """Check how many results are wanted."""
    if value is None:
        return None
    if not isinstance(value, int) or isinstance(value, bool):
        raise InvalidRequestError(f"max_results must be an int, not {type(value).__name__}")
    if not 1 <= value <= RESULTS_MAX:
        raise InvalidRequestError(f"max_results must be between 1 and {RESULTS_MAX}, not {value}")
    return value


def _query(value: object) -> str:
    return _text(value, "query")


def _url(value: object) -> str:
    return _text(value, "url")


@frozen(kw_only=True)
class WebSearchRequest:
    """Words to look for.

    Attributes:
        query: the words.
        max_results: 1 to 10 (the server's default: 5).

    Raises:
        InvalidRequestError: a field has the wrong type or value; the message shows no content.
    """

    query: str = field(converter=_query, repr=veiled)
    max_results: int | None = field(default=None, converter=_results)

    def body(self) -> bytes:
        """Encode the request's body; what is unset is left out."""
        return encode_body({"query": self.query, "max_results": self.max_results})


@frozen(kw_only=True)
class WebFetchRequest:
    """A page to read.

    Attributes:
        url: its address.

    Raises:
        InvalidRequestError: it is no text, or empty.
    """

    url: str = field(converter=_url, repr=veiled)

    def body(self) -> bytes:
        """Encode the request's body."""
        return encode_body({"url": self.url})


@frozen(kw_only=True)
class WebResult:
    """One page that was found.

    Attributes:
        title: its title.
        url: its address.
        content: what it says.
        extra: unknown fields.
    """

    title: str = ""
    url: str = ""
    content: str = field(default="", repr=veiled)
    extra: dict[str, Any] = field(factory=dict, repr=counted)


@frozen(kw_only=True)
class WebSearchResponse:
    """What was found, the best first.

    Attributes:
        results: one entry per page.
        extra: unknown fields.
    """

    results: tuple[WebResult, ...] = ()
    extra: dict[str, Any] = field(factory=dict)


@frozen(kw_only=True)
class WebFetchResponse:
    """A page.

    Attributes:
        title: its title.
        content: what it says.
        links: where it leads.
        extra: unknown fields.
    """

    title: str = ""
    content: str = field(default="", repr=veiled)
    links: tuple[str, ...] = field(default=(), repr=counted)
    extra: dict[str, Any] = field(factory=dict, repr=counted)


@frozen(kw_only=True)
class Recommendation:
    """A model that is worth a try.

    Attributes:
        model: its name.
        description: what it is good for.
        context_length: tokens of context; 0 if not told.
        max_output_tokens: tokens of an answer at most; 0 if not told.
        vram_bytes: memory that it needs on a GPU; 0 if not told.
        required_plan: what the account must have; None for any.
        extra: unknown fields.
    """

    model: str = ""
    description: str = ""
    context_length: int = 0
    max_output_tokens: int = 0
    vram_bytes: int = 0
    required_plan: str | None = None
    extra: dict[str, Any] = field(factory=dict)


@frozen(kw_only=True)
class RecommendationsResponse:
    """The models that a server recommends, the first first.

    Attributes:
        recommendations: one entry per model.
        extra: unknown fields.
    """

    recommendations: tuple[Recommendation, ...] = ()
    extra: dict[str, Any] = field(factory=dict)


def decode_status(body: bytes) -> StatusResponse:
    """Read the answer of ``/api/status``.

    Raises:
        ProtocolError: it is no JSON object, or a field has the wrong type.
    """
    what = "the answer of /api/status"
    return build(
        StatusResponse,
        read_object(body, what),
        what,
        cloud=lambda raw, where: build(CloudStatus, read_object(raw, where), where),
    )


def decode_account(body: bytes) -> AccountResponse:
    """Read the answer of ``/api/me``.

    Raises:
        ProtocolError: it is no JSON object, or a field has the wrong type.
    """
    what = "the answer of /api/me"
    return build(AccountResponse, read_object(body, what), what)


def decode_web_search(body: bytes) -> WebSearchResponse:
    """Read the answer of a search.

    Raises:
        ProtocolError: it is no JSON object, or a field has the wrong type.
    """
    what = "the answer of the web search"
    return build(WebSearchResponse, read_object(body, what), what, results=build_each(WebResult))


def decode_web_fetch(body: bytes) -> WebFetchResponse:
    """Read a page.

    Raises:
        ProtocolError: it is no JSON object, or a field has the wrong type.
    """
    what = "the answer of the web fetch"
    return build(WebFetchResponse, read_object(body, what), what)


def decode_recommendations(body: bytes) -> RecommendationsResponse:
    """Read the answer of ``/api/experimental/model-recommendations``.

    Raises:
        ProtocolError: it is no JSON object, or a field has the wrong type.
    """
    what = "the answer of /api/experimental/model-recommendations"
    each = build_each(Recommendation)
    return build(RecommendationsResponse, read_object(body, what), what, recommendations=each)
