"""How much a run of the behaviour suite compared, per engine."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field


@dataclass
class Tally:
    """Random datasets, and values compared with an oracle, by engine."""

    datasets: Counter[str] = field(default_factory=Counter)
    values: Counter[str] = field(default_factory=Counter)

    def add(self, engine: str, values: int, datasets: int = 1) -> None:
        """Count what was compared on an engine."""
        self.datasets[engine] += datasets
        self.values[engine] += values

    def lines(self) -> list[str]:
        """A line per engine."""
        return [
            f"{engine}: {self.datasets[engine]:,} random datasets, {self.values[engine]:,} values compared"
            for engine in sorted(self.datasets)
        ]
