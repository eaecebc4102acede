"""An AWS error that moto serializes for whatever protocol the service speaks."""

from __future__ import annotations

from moto.core.exceptions import ServiceException


class RefusedError(ServiceException):
    """A call is refused with a code and a message."""
