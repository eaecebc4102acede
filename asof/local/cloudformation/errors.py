"""What goes wrong with templates and resources; the adapter turns these into AWS's answers."""

from __future__ import annotations

from asof.errors import LocalCloudError


class ValidationError(LocalCloudError):
    """The call is refused and nothing is changed. Becomes CloudFormation's ``ValidationError``."""

    def __init__(self, message: str, *, code: str = "ValidationError") -> None:
        self.message = message
        self.code = code
        super().__init__(message)


class ResourceFailedError(LocalCloudError):
    """A resource could not be created, updated or deleted, so its stack rolls back.

    ``physical_id`` names what may exist nevertheless and is to be deleted again.
    """

    def __init__(self, message: str, *, physical_id: str | None = None) -> None:
        self.physical_id = physical_id
        super().__init__(message)
