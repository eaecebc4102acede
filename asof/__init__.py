"""Asof: a serverless feature store for AWS that a team owns as code.

The package root exports nothing heavy, so that the online path stays light: import ``asof.definitions`` to write
features, ``asof.store`` for training sets and lookups, ``asof.online`` for the bare online reader.
"""

__version__ = "0.1.0"
