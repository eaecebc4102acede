"""A lease is held for as long as a stage takes, and one that was lost is not taken back."""

from __future__ import annotations

import threading

from asof.clock import ManualClock
from asof.errors import LeaseLostError
from asof.local import LocalCloud
from asof.materialize.heartbeat import beating
from asof.materialize.lease import LEASE_MS, Lease, acquire
from tests.support.fake_dynamodb import client_error


class Counted(Lease):
    """A lease that says when it was renewed."""

    __slots__ = ()
    renewed = threading.Semaphore(0)
    lost = threading.Semaphore(0)

    def renew(self) -> None:
        """Renew, and say so."""
        try:
            super().renew()
        except LeaseLostError:
            self.lost.release()
            raise
        self.renewed.release()


def counted(lease: Lease) -> Counted:
    """The same lease, watched."""
    return Counted(lease.client, lease.table, lease.view, lease.owner, lease.token, lease.clock, lease.hold_ms)


def test_a_lease_outlives_its_time_and_a_lost_one_stays_lost() -> None:
    """Renewed by the clock of the run; after another took over, nothing is renewed any more."""
    with LocalCloud() as cloud:
        environment = cloud.environment("test")
        cloud.provision(environment)
        clock, client = ManualClock(0), cloud.session().client("dynamodb")

        def take(owner: str) -> Lease:
            return acquire(client, environment.control_table, "v@v1", owner, clock)

        mine = counted(take("me"))
        with beating(mine, every_s=0.01):
            assert Counted.renewed.acquire(timeout=60)
            clock.set(LEASE_MS - 1)
            for _ in range(3):  # one of them began after the clock was set
                assert Counted.renewed.acquire(timeout=60)
            clock.set(2 * LEASE_MS - 2)
            for _ in range(3):
                assert Counted.renewed.acquire(timeout=60)
        clock.set(4 * LEASE_MS)
        other = take("another")
        with beating(mine, every_s=0.01):
            assert Counted.lost.acquire(timeout=60)
        other.renew()


class Throttled(Lease):
    """A lease whose first renewals meet a throttled table."""

    __slots__ = ("left",)
    renewed = threading.Event()

    def renew(self) -> None:
        """Fail twice, then renew and say so."""
        left = getattr(self, "left", 2)
        object.__setattr__(self, "left", left - 1)
        if left > 0:
            raise client_error("ThrottlingException", "UpdateItem")
        super().renew()
        self.renewed.set()


def test_a_renewal_that_fails_is_tried_again_by_the_next_beat() -> None:
    """Throttling says nothing about the lease."""
    with LocalCloud() as cloud:
        environment = cloud.environment("test")
        cloud.provision(environment)
        client = cloud.session().client("dynamodb")
        lease = acquire(client, environment.control_table, "v@v1", "me", ManualClock(0))
        throttled = Throttled(client, lease.table, lease.view, lease.owner, lease.token, lease.clock, lease.hold_ms)
        with beating(throttled, every_s=0.01):
            assert Throttled.renewed.wait(60)
