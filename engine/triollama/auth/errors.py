"""What goes wrong with a token before it is sent."""

from __future__ import annotations

from triollama._errors import EndpointError

__all__ = ["TokenError"]


class TokenError(EndpointError):
    """The function of a `Bearer` gave no token that can be used, so the endpoint cannot be asked.

    It names the kind of error and the line that raised it, not that error's text: whoever talks to
    a token service may put secrets into it. A function that has to be understood logs by itself.
    """
