"""Backoff, deadlines, and which faults are worth another try."""

from __future__ import annotations

import pytest
from botocore.exceptions import (
    BotoCoreError,
    ConnectTimeoutError,
    EndpointConnectionError,
    NoCredentialsError,
    ParamValidationError,
    ReadTimeoutError,
)
from botocore.loaders import create_loader
from botocore.retries.standard import ThrottledRetryableChecker, TransientRetryableChecker

from asof.clock import ManualClock
from asof.errors import DeadlineExceededError, OnlineStoreError
from asof.online.faults import client_errors, error_code, is_retryable
from asof.online.retry import RetryPolicy
from tests.support.fake_dynamodb import client_error


def test_waits_double_up_to_the_cap_and_end_at_the_deadline() -> None:
    """With full jitter at its longest; the last wait never reaches beyond the deadline."""
    clock = ManualClock(0)
    waits: list[float] = []

    def sleep(seconds: float) -> None:
        waits.append(round(seconds * 1000))
        clock.set(clock.now_ms() + round(seconds * 1000))

    policy = RetryPolicy(deadline_ms=250, base_ms=10, cap_ms=60, clock=clock, sleep=sleep, uniform=lambda: 1.0)
    patience = policy.start("reading")

    def fail() -> None:
        raise client_error("ThrottlingException", "Query")

    with pytest.raises(DeadlineExceededError, match=r"reading was not done within 250 ms, after 6 further tries"):
        patience.call(fail)
    assert waits == [10, 20, 40, 60, 60, 60]
    assert clock.now_ms() == 250


@pytest.mark.parametrize(
    ("error", "retryable"),
    [
        (client_error("ProvisionedThroughputExceededException", "x"), True),
        (client_error("ThrottlingException", "x"), True),
        (client_error("InternalServerError", "x", status=500), True),
        (client_error("Unheard", "x", status=503), True),
        (client_error("ValidationException", "x"), False),
        (client_error("ResourceNotFoundException", "x"), False),
        (client_error("ConditionalCheckFailedException", "x"), False),
        (ConnectTimeoutError(endpoint_url="made up"), True),
        (ReadTimeoutError(endpoint_url="made up"), True),
        (EndpointConnectionError(endpoint_url="made up"), True),
        (ConnectionResetError(), True),
        (TimeoutError(), True),
        (NoCredentialsError(), False),
        (ParamValidationError(report="made up"), False),
    ],
)
def test_only_what_may_pass_is_tried_again(error: Exception, retryable: bool) -> None:
    assert is_retryable(error) is retryable
    assert isinstance(error, client_errors())


def test_whatever_botocore_tries_again_is_tried_again() -> None:
    """Throttling, transient errors, and what its table for DynamoDB adds."""
    legacy = create_loader().load_data("_retry")["retry"]["dynamodb"]["__default__"]["policies"]
    found = [policy["applies_when"]["response"].get("service_error_code") for policy in legacy.values()]
    codes = {code for code in found if code}
    codes |= set(vars(ThrottledRetryableChecker)["_THROTTLED_ERROR_CODES"])
    codes |= set(vars(TransientRetryableChecker)["_TRANSIENT_ERROR_CODES"])
    assert {code for code in codes if not is_retryable(client_error(code, "x"))} == set()
    assert is_retryable(client_error("Unheard", "x", status=429))


def test_every_error_of_botocore_becomes_an_error_of_asof() -> None:
    """None of its classes slips past the one place where they are caught."""
    import botocore.exceptions as module

    classes = [each for each in vars(module).values() if isinstance(each, type) and issubclass(each, Exception)]
    own = [each for each in classes if each.__module__ == module.__name__ and each is not BotoCoreError]
    escaping = {each.__name__ for each in own if not issubclass(each, (*client_errors(), Warning))}
    # These two say that a service's model file is broken, which no call raises.
    assert escaping == {"UndefinedModelAttributeError", "MissingServiceIdError"}


def test_a_mistake_in_the_program_is_not_a_fault_of_the_store() -> None:
    """It passes through unchanged."""

    def fail() -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        RetryPolicy(deadline_ms=1).start("reading").call(fail)


def test_what_no_repetition_mends_is_raised_at_once_with_its_cause() -> None:
    error = client_error("ValidationException", "Query")

    def fail() -> None:
        raise error

    with pytest.raises(OnlineStoreError, match=r"reading failed: .*ValidationException") as caught:
        RetryPolicy(deadline_ms=1).start("reading").call(fail)
    assert caught.value.__cause__ is error
    assert error_code(error) == "ValidationException"
    assert error_code(OSError()) == ""
