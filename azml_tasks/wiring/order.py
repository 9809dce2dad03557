"""Put steps in an order in which each follows what it needs."""

from __future__ import annotations

import heapq
from collections.abc import Collection, Mapping
from graphlib import CycleError, TopologicalSorter


class StepCycleError(Exception):
    """Steps that wait for each other; `keys` starts and ends with the same one."""

    def __init__(self, keys: list[str]) -> None:
        self.keys = keys
        super().__init__(" -> ".join(keys))


def in_order(upstream: Mapping[str, Collection[str]]) -> list[str]:
    """Return the keys with each after its upstream, otherwise as they stand in the mapping.

    Raises StepCycleError.
    """
    position = {key: place for place, key in enumerate(upstream)}
    keys = list(upstream)
    sorter = TopologicalSorter(upstream)
    try:
        sorter.prepare()
    except CycleError as error:
        raise StepCycleError(_from_first(list(error.args[1]), position)) from None
    ready: list[int] = []
    order = []
    while sorter.is_active():
        for key in sorter.get_ready():
            heapq.heappush(ready, position[key])
        key = keys[heapq.heappop(ready)]
        order.append(key)
        sorter.done(key)
    return order


def _from_first(cycle: list[str], position: Mapping[str, int]) -> list[str]:
    """Turn the cycle so that it starts with the step that stands first in the file."""
    ring = cycle[:-1]
    first = ring.index(min(ring, key=position.__getitem__))
    return [*ring[first:], *ring[:first], ring[first]]
