"""How a run is followed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from azml_tasks.runs.events import Listener, nobody


@dataclass(frozen=True)
class Pace:
    """How often to look, in seconds: soon after something has changed, less and less often after that."""

    first: float = 1.0
    longest: float = 15.0
    growth: float = 1.3

    def waits(self) -> Iterator[float]:
        """Yield how long to wait before each next look."""
        wait = self.first
        while True:
            yield wait
            wait = min(self.longest, wait * self.growth)


@dataclass(frozen=True)
class Watch:
    """How a run is followed: who is told, how often to look, and who decides on Ctrl-C whether to cancel the run.

    Between two looks the listener is told that time passes each `tick` seconds.
    """

    listener: Listener = nobody
    pace: Pace = field(default_factory=Pace)
    asks_to_cancel: Callable[[], bool] | None = None
    tick: float | None = None
