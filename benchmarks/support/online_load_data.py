"""What is loaded, by Asof and by its peer: one view of users, ten features. Standard library only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

VIEW: Final = "wide10_0"


@dataclass(frozen=True, slots=True)
class Load:
    """One load: so many ``rows``, of as many users, to an empty table. With ``check`` they are read back and judged."""

    rows: int
    endpoint: str
    folder: str
    table: str
    region: str
    access_key: str
    secret_key: str
    check: bool = False

    def environment(self) -> dict[str, str]:
        """What AWS's clients look for."""
        return {
            "AWS_ACCESS_KEY_ID": self.access_key,
            "AWS_SECRET_ACCESS_KEY": self.secret_key,
            "AWS_DEFAULT_REGION": self.region,
            "AWS_EC2_METADATA_DISABLED": "true",
        }
