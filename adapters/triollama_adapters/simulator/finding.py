"""Models by the names in requests, and how each route tells of names that are missing or unknown.

Owns the table of ``ollama-api.md`` §2.13.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from triollama._errors import InvalidRequestError
from triollama.api.names import ModelName, parse_name

from .errors import ApiError
from .models import ModelConfig

if TYPE_CHECKING:
    from .core import Simulator

__all__ = [
    "ChatErrors",
    "DeleteErrors",
    "EmbedErrors",
    "EmbeddingsErrors",
    "GenerateErrors",
    "ShowErrors",
    "find_model",
    "read_name",
]

_INVALID = "invalid model name"


class ChatErrors:
    """What chat says."""

    missing = ApiError(400, "model is required")

    @staticmethod
    def bad(_name: str) -> str:
        """Say that a name is none."""
        return _INVALID

    @staticmethod
    def unknown(name: str) -> str:
        """Say that there is no such model."""
        return f"model '{name}' not found"


class GenerateErrors(ChatErrors):
    """What generate says."""

    missing = ApiError(404, "model '' not found")


class EmbedErrors(ChatErrors):
    """What embed says."""

    missing = ApiError(404, "model '' not found")

    @staticmethod
    def unknown(name: str) -> str:
        """Say that there is no such model."""
        return f'model "{name}" not found, try pulling it first'


class EmbeddingsErrors(EmbedErrors):
    """What the legacy embeddings say."""

    missing = ApiError(400, "model is required")


class ShowErrors(ChatErrors):
    """What show says."""

    @staticmethod
    def unknown(name: str) -> str:
        """Say that there is no such model, with its tag."""
        return f"model '{parse_name(name).display}' not found"


class DeleteErrors(ChatErrors):
    """What delete says."""

    @staticmethod
    def bad(name: str) -> str:
        """Say that a name is none."""
        return f'name "{name}" is invalid'


def find_model(simulator: Simulator, name: str, errors: type[ChatErrors]) -> ModelConfig:
    """Find a model by the name in a request.

    Raises:
        ApiError: it is missing, no name, or unknown.
    """
    if not name:
        raise errors.missing
    model = simulator.store.find(read_name(name, errors.bad(name)))
    if model is None:
        raise ApiError(404, errors.unknown(name))
    return model


def read_name(name: str, bad: str = _INVALID) -> ModelName:
    """Take a name apart.

    Raises:
        ApiError: 400 with the text ``bad``, or with what is wrong with its source.
    """
    try:
        return parse_name(name)
    except InvalidRequestError as error:
        if {"local", "cloud"} <= set(name.lower().split(":")):
            message = f'use either :local or :cloud, not both: "{name}"'
            raise ApiError(400, message) from error
        raise ApiError(400, bad) from None
