"""``python -m benchmarks.peers install|lock [NAME ...]``: make peers' environments, or renew their locks (needs uv)."""

from __future__ import annotations

import argparse

from benchmarks.peers import environments


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.peers", description=__doc__)
    parser.add_argument("action", choices=("install", "lock"))
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(environments.names())}; default: all")
    given = parser.parse_args()
    for name in given.names or environments.names():
        if given.action == "lock":
            environments.lock(name)
        else:
            environments.python(name)


if __name__ == "__main__":
    main()
