"""The local cloud as a server: AWS's own APIs on one loopback port, for unmodified clients."""

from asof.local.server.local_server import LocalServer

__all__ = ["LocalServer"]
