"""The local cloud: the AWS APIs that Asof uses, in-process, with Athena executing. See :class:`LocalCloud`."""

from asof.local.cloud import LocalCloud

__all__ = ["LocalCloud"]
