"""Which publication a rollback goes back to."""

from __future__ import annotations

import pytest

from asof.errors import RequestError, UnknownFeatureError
from asof.registry.publications import Publication
from asof.registry.rollback import rollback_target

A, B, C = "aaaaaa11" * 8, "bbbbbb22" * 8, "bbbbbb33" * 8
PUBLISHED = [Publication(1, A), Publication(2, B), Publication(3, A), Publication(4, C)]


def test_without_a_wish_it_is_what_was_in_force_before() -> None:
    """The last publication of another manifest; a publication that died before it came into force counts as before."""
    assert rollback_target(PUBLISHED, C, None) == Publication(3, A)
    assert rollback_target(PUBLISHED[:3], A, None) == Publication(2, B)
    assert rollback_target([*PUBLISHED, Publication(5, A)], A, None) == Publication(4, C)


def test_a_beginning_is_enough_if_it_is_the_beginning_of_one() -> None:
    """Of a manifest that was published several times, the last publication is meant."""
    assert rollback_target(PUBLISHED, C, "aaaaaa") == Publication(3, A)
    assert rollback_target(PUBLISHED, C, B) == Publication(2, B)
    with pytest.raises(RequestError, match="could be"):
        rollback_target(PUBLISHED, A, "bbbbbb")
    with pytest.raises(RequestError, match="too short"):
        rollback_target(PUBLISHED, A, "bbb")


def test_there_must_be_something_to_go_back_to() -> None:
    """Neither what was never published, nor what is in force, nor nothing."""
    with pytest.raises(UnknownFeatureError, match="aaaaaa11"):
        rollback_target(PUBLISHED, C, "aaaaaa12")
    with pytest.raises(RequestError, match="in force already"):
        rollback_target(PUBLISHED, C, C)
    with pytest.raises(RequestError, match="no earlier"):
        rollback_target([Publication(1, A)], A, None)
