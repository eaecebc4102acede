"""What goes wrong with a query, in the words Athena uses; the adapter turns these into AWS's answers."""

from __future__ import annotations

from asof.errors import LocalCloudError


class InvalidRequestError(LocalCloudError):
    """The API call itself is refused: nothing was started. Becomes ``InvalidRequestException``."""

    def __init__(self, message: str, *, code: str = "INVALID_INPUT") -> None:
        self.code = code
        self.message = message
        super().__init__(message)


class QueryFailedError(LocalCloudError):
    """The query was accepted and ended FAILED (or CANCELLED); ``code`` is Trino's name of the error.

    ``category`` is Athena's: 1 for the system, 2 for the user.
    """

    def __init__(
        self, code: str, message: str, *, category: int = 2, retryable: bool = False, state: str = "FAILED"
    ) -> None:
        self.code = code
        self.category = category
        self.retryable = retryable
        self.state = state
        self.reason = f"{code}: {message}" if code else message
        super().__init__(self.reason)


def not_supported(what: str) -> QueryFailedError:
    """The refusal of something real Athena can do and the local cloud cannot; never an invented success."""
    return QueryFailedError("NOT_SUPPORTED", f"the local cloud's Athena cannot {what}; run this on AWS")
