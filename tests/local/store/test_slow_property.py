"""A property that takes long in a thread makes no other instance wait."""

from __future__ import annotations

import threading

from azml_tasks.local.store.long_reads import slow_property


class Slow:
    def __init__(self, may_end: threading.Event) -> None:
        self.begun, self.may_end = threading.Event(), may_end

    @slow_property
    def value(self) -> object:
        self.begun.set()
        assert self.may_end.wait(20)
        return object()


def test_instances_do_not_wait_for_each_other():
    first, second = Slow(threading.Event()), Slow(threading.Event())
    thread = threading.Thread(target=lambda: first.value)
    thread.start()
    assert first.begun.wait(20)
    second.may_end.set()

    assert second.value is second.value

    assert not first.may_end.is_set()
    first.may_end.set()
    thread.join(20)
    assert "value" in vars(first)
