"""What botocore raises, in words that say what to do."""

from __future__ import annotations

import os
from typing import Final

from botocore import exceptions
from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError, PartialCredentialsError

AWS_ERRORS: Final = (BotoCoreError, ClientError)
"""The roots of what AWS's clients raise."""

_DENIED: Final = ("AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "403")
_EXPIRED: Final = ("ExpiredToken", "ExpiredTokenException", "InvalidClientTokenId", "UnrecognizedClientException")


def explained(error: Exception) -> str:
    """One of :data:`AWS_ERRORS` as a message."""
    if isinstance(error, ClientError):
        return _refused(error)
    if isinstance(error, NoCredentialsError | PartialCredentialsError):
        return (
            f"{error}; set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or lead the command to a local "
            f'cloud with: eval "$(asof local env)"'
        )
    if isinstance(error, exceptions.ConnectionError | exceptions.HTTPClientError):
        where = os.environ.get("AWS_ENDPOINT_URL")
        hint = (
            f"AWS_ENDPOINT_URL is {where}: is a local cloud up? See: asof local status"
            if where
            else "is there a network?"
        )
        return f"{error}; {hint}"
    return f"AWS's client could not do it: {error}"


def _refused(error: ClientError) -> str:
    code, message = error.response["Error"].get("Code", "Unknown"), error.response["Error"].get("Message", "")
    said = f"AWS refused {error.operation_name}: {code}: {message}"
    if code in _DENIED:
        return f"{said}; the policies of the credentials in force do not allow it"
    if code in _EXPIRED:
        return f"{said}; the credentials in force are not valid (any more): log in again"
    return said
