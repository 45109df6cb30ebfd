"""Frozen classes of which each request makes an instance: the type checker alone keeps them so.

attrs sets the fields of a frozen instance through `object.__setattr__`, which takes three times as
long: 7 of the 120 µs that a short request costs. These classes stay inside the engine, where the
checker sees every use; what users get is frozen in earnest.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from attrs import frozen as frozen_for_checker
else:
    import attrs

    frozen_for_checker = partial(attrs.define, unsafe_hash=True)

__all__ = ["frozen_for_checker"]
