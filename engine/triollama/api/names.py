"""Model names: their grammar, and when two spellings mean the same model.

Owns the rules of ``[scheme://][host/][namespace/]model[:tag]`` with an optional ``:cloud`` or
``:local`` source behind. The engine compares names by `name_key`; the simulator answers by it.
"""

from __future__ import annotations

import re
from functools import lru_cache

from attrs import field, frozen

from triollama._errors import InvalidRequestError

from ._problems import refused

__all__ = [
    "DEFAULT_HOST",
    "DEFAULT_NAMESPACE",
    "DEFAULT_TAG",
    "ModelName",
    "name_key",
    "parse_name",
]

DEFAULT_HOST = "registry.ollama.ai"
DEFAULT_NAMESPACE = "library"
DEFAULT_TAG = "latest"

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*\Z")
# What each part may hold; the first character is a letter, a digit or "_". ASCII only.
_PARTS = {
    "host": re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.:-]{0,349}\Z"),
    "namespace": re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]{0,79}\Z"),
    "model": re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,79}\Z"),
    "tag": re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,79}\Z"),
}
_FORM = "[host/][namespace/]model[:tag]"
_SOURCES = ("cloud", "local")
_NAME_CHARS_MAX = 700  # host 350 + three parts of 80, a scheme, a source: longer is no name


@frozen
class ModelName:
    """A model's name, taken apart. Case is kept; compare by `key`.

    Attributes:
        model: the model itself.
        tag: ``latest`` if none was given.
        namespace: ``library`` if none was given.
        host: the registry; Ollama's own if none was given.
        scheme: ``https`` if none was given; no part of what a name means.
        source: ``"cloud"`` or ``"local"`` where the name asked for it by a last ``:cloud`` or
            ``:local``; else None.
        key: what is equal for every spelling of the same model: `display` in lower case.
    """

    model: str
    tag: str = DEFAULT_TAG
    namespace: str = DEFAULT_NAMESPACE
    host: str = DEFAULT_HOST
    scheme: str = "https"
    source: str | None = None
    key: str = field(init=False, eq=False, repr=False)

    @key.default
    def _key(self) -> str:
        return self.display.lower()

    @property
    def full(self) -> str:
        """The fully qualified name, ``HOST/NAMESPACE/MODEL:TAG``."""
        return f"{self.host}/{self.namespace}/{self.model}:{self.tag}"

    @property
    def display(self) -> str:
        """As Ollama lists it: default host and namespace dropped, the tag always shown."""
        short = f"{self.model}:{self.tag}"
        if self.host.lower() != DEFAULT_HOST:
            return f"{self.host}/{self.namespace}/{short}"
        if self.namespace.lower() != DEFAULT_NAMESPACE:
            return f"{self.namespace}/{short}"
        return short

    @property
    def is_cloud(self) -> bool:
        """Whether a server would relay requests for this name to Ollama's cloud."""
        tag = self.tag.lower()
        return self.source == "cloud" or tag == "cloud" or tag.endswith("-cloud")


def parse_name(text: str) -> ModelName:
    """Take a model name apart. Surrounding blanks are ignored, as most Ollama endpoints do.

    ``NAME:cloud`` becomes the tag that Ollama lists it under (``x:cloud`` → tag ``cloud``,
    ``x:8b:cloud`` → ``8b-cloud``); ``NAME:local`` leaves the name without it.

    Raises:
        InvalidRequestError: a part is empty, too long, or has a character that it may not have.
            The message names the part and the rule, and does not repeat the text: a prompt given in
            the model's place must not reach a log.
    """
    if not isinstance(text, str):
        raise refused("model", type(text).__name__, "a str")
    return (_remembered if len(text) <= _NAME_CHARS_MAX else _parse)(text.strip())


def checked_name(text: str) -> str:
    """A name without surrounding blanks, as it is sent.

    Raises:
        InvalidRequestError: see `parse_name`.
    """
    parse_name(text)
    return text.strip()


def name_key(text: str) -> str:
    """What to compare instead of the name itself: ``parse_name(text).key``.

    A name that does not follow the grammar (other servers list such) is compared in lower case.
    """
    try:
        return parse_name(text).key
    except InvalidRequestError:
        return text.strip().lower()


def _parse(text: str) -> ModelName:
    """Take apart what has no blanks around it."""
    rest, source = _split_source(text)
    scheme, found, behind = rest.partition("://")
    if found:
        rest = behind
        if not _SCHEME.match(scheme):
            raise _bad("scheme")
    else:
        scheme = "https"
    path, slash, last = rest.rpartition("/")
    model, colon, tag = last.partition(":")
    host, has_host, namespace = path.rpartition("/")
    parts = {"model": model}
    if colon:
        parts["tag"] = tag
    if slash:
        parts["namespace"] = namespace
    if has_host:
        parts["host"] = host
    for part, value in parts.items():
        if not _PARTS[part].match(value):
            raise _bad(part)
    if source == "cloud":
        parts["tag"] = f"{tag}-cloud" if colon else "cloud"
    return ModelName(**parts, scheme=scheme, source=source)


_remembered = lru_cache(maxsize=4096)(_parse)
"""A fleet's models in all their spellings; at most some 12 MiB. What is no name is read anew."""


def _split_source(text: str) -> tuple[str, str | None]:
    """Take a last ``:cloud`` or ``:local`` off a name; both at once are refused, as Ollama does."""
    head, colon, last = text.rpartition(":")
    source = last.lower()
    if not colon or source not in _SOURCES:
        return text, None
    before = head.rpartition(":")[2].lower()
    if before in _SOURCES and before != source:
        told = "model: use either :local or :cloud, not both"
        raise refused("model", "both :local and :cloud", "one of them", told)
    return head, source


def _bad(part: str) -> InvalidRequestError:
    """Say which part of a name is wrong, and the rule."""
    told = (
        f"model is not a valid name: its {part} is empty, too long, or has a character other than "
        f"ASCII letters, digits and _ - . (the form is {_FORM})"
    )
    return refused("model", f"a name whose {part} is not valid", _FORM, told)
