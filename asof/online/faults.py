"""The one place where a client's errors are recognised: what is worth another try, and what is a lost race.

Nothing is imported for it: botocore's errors are known only where botocore is loaded already, which it is wherever a
client of boto3 is in use.
"""

from __future__ import annotations

import sys
from typing import Any, Final

RETRYABLE_CODES: Final = frozenset(
    {
        "BandwidthLimitExceeded",
        "EC2ThrottledException",
        "InternalServerError",
        "LimitExceededException",
        "PriorRequestNotComplete",
        "ProvisionedThroughputExceededException",
        "ReplicatedWriteConflictException",
        "RequestLimitExceeded",
        "RequestThrottled",
        "RequestThrottledException",
        "RequestTimeout",
        "RequestTimeoutException",
        "ServiceUnavailable",
        "SlowDown",
        "ThrottledException",
        "Throttling",
        "ThrottlingException",
        "TooManyRequestsException",
        "TransactionConflictException",
        "TransactionInProgressException",
    }
)
"""Error codes with which DynamoDB, or what stands before it, says "not now"; botocore's are all among them."""

_TOO_MANY_REQUESTS: Final = 429

CONDITION_FAILED: Final = "ConditionalCheckFailedException"


def client_errors() -> tuple[type[Exception], ...]:
    """The classes of error a client may raise, for an ``except`` clause. Programming errors are not among them."""
    botocore = sys.modules.get("botocore.exceptions")
    return (OSError,) if botocore is None else (OSError, botocore.ClientError, botocore.BotoCoreError)


def error_code(error: Exception) -> str:
    """The service's error code, empty where the service never answered."""
    return str(_response(error).get("Error", {}).get("Code", ""))


def is_retryable(error: Exception) -> bool:
    """Whether the same call may succeed a little later: throttling, the service's own faults, a broken connection."""
    response = _response(error)
    if response:
        status = response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        return error_code(error) in RETRYABLE_CODES or status == _TOO_MANY_REQUESTS or status >= 500
    botocore = sys.modules.get("botocore.exceptions")
    connection: tuple[type[Exception], ...] = (OSError,)
    if botocore is not None:
        connection = (OSError, botocore.HTTPClientError, botocore.ConnectionError)
    return isinstance(error, connection)


def _response(error: Exception) -> dict[str, Any]:
    response = getattr(error, "response", None)
    return response if isinstance(response, dict) else {}
