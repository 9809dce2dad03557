"""Reading that takes long, such as hashing: reported, interruptible, and in a thread beside the steps."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import ContextVar
from functools import cached_property, partial
from typing import Any, NoReturn, TypeVar

from azml_tasks.standin.azml_local.formats.copies import StoppedError, progress_text

_T = TypeVar("_T")
# Seconds of reading before the first report; each further one comes after twice the time, up to the last figure.
_FIRST_REPORT = 1.5
_LONGEST_PAUSE = 60.0
# Seconds for which the main thread works itself.
_PATIENCE = 0.25


class slow_property(cached_property[_T]):  # noqa: N801 - as functools names its own
    """A cached property that threads may compute for long: until 3.12 functools' own locks all instances."""

    def __get__(self, instance: Any, owner: type[Any] | None = None) -> _T:  # type: ignore[override]
        """Return the value, which is then an attribute of the instance."""
        value = vars(instance)[self.attrname or ""] = self.func(instance)
        return value


class TakesLongError(Exception):
    """The reading takes longer than its caller can wait."""


class _Reading:
    """What is read: how much of it so far, and when the next report is due."""

    def __init__(self, what: str, size: Callable[[], int]) -> None:
        self._what = what
        self._size = size
        self._total = 0
        self._read = 0
        self._pause = _FIRST_REPORT
        self._due = time.monotonic() + _FIRST_REPORT

    def advance(self, count: int) -> str:
        """Note that so many bytes more were read, and return the report if one is due."""
        self._read += count
        now = time.monotonic()
        if now < self._due:
            return ""
        self._total = self._total or self._size()
        self._pause = min(2 * self._pause, _LONGEST_PAUSE)
        self._due = now + self._pause
        return f"reading {self._what}: {progress_text(self._read, max(self._read, self._total))}"


class Pace:
    """Asked between the parts of files while they are read, in any thread; `say` gets the reports."""

    def __init__(self) -> None:
        self.say: Callable[[str], None] = lambda text: None
        self._reading: ContextVar[_Reading | None] = ContextVar("reading", default=None)
        self._limit: ContextVar[float] = ContextVar("limit", default=float("inf"))
        self._is_wanted: ContextVar[Callable[[], bool]] = ContextVar("is_wanted", default=lambda: True)

    @contextlib.contextmanager
    def reading(self, what: str, size: Callable[[], int]) -> Iterator[None]:
        """Report how far the reading of `what` is, unless it is part of another; `size` returns its bytes."""
        if self._reading.get() is not None:
            yield
            return
        token = self._reading.set(_Reading(what, size))
        try:
            yield
        finally:
            self._reading.reset(token)

    @contextlib.contextmanager
    def limited(self, is_wanted: Callable[[], bool], seconds: float = float("inf")) -> Iterator[None]:
        """End the reading with StoppedError when it is no longer wanted, or TakesLongError after so many seconds."""
        tokens = self._limit.set(time.monotonic() + seconds), self._is_wanted.set(is_wanted)
        try:
            yield
        finally:
            self._limit.reset(tokens[0])
            self._is_wanted.reset(tokens[1])

    def advance(self, count: int) -> None:
        """Note that so many bytes more were read.

        Raises StoppedError, TakesLongError.
        """
        if not self._is_wanted.get()():
            raise StoppedError
        if time.monotonic() > self._limit.get():
            raise TakesLongError
        reading = self._reading.get()
        report = reading.advance(count) if reading else ""
        if report:
            self.say(report)


def _returned(value: _T) -> _T:
    return value


def _raised(error: Exception) -> NoReturn:
    raise error


class LongWork:
    """Does one thing at once, or one after the other in a thread, which calls `wake` when it has done one; and what
    nothing waits for in another thread."""

    def __init__(self, pace: Pace, wake: Callable[[], None]) -> None:
        self._pace = pace
        self._wake = wake
        self._pending: dict[Future[Any], Callable[[Callable[[], Any]], None]] = {}
        self._aside: list[Future[None]] = []
        self._is_closed = False

    @property
    def pending(self) -> int:
        """How much is not done yet, or not settled."""
        return len(self._pending)

    @property
    def is_busy(self) -> bool:
        """Whether anything is not done yet, also what nothing waits for."""
        self._aside = [future for future in self._aside if not future.done()]
        return bool(self._pending or self._aside)

    def do(
        self,
        work: Callable[[], _T],
        then: Callable[[Callable[[], _T]], None],
        is_wanted: Callable[[], bool],
        *,
        at_once: bool = False,
    ) -> None:
        """Call `work`, and `then` with what returns its result or raises its exception: now, or when `settle` is called
        after it was done in the thread.

        What takes long is started again in the thread, unless it is to be done `at_once`: so `work` may have no effects
        that count twice. It raises StoppedError once it is not wanted.
        """
        outcome: Callable[[], _T]
        try:
            with self._pace.limited(is_wanted, float("inf") if at_once else _PATIENCE):
                outcome = partial(_returned, work())
        except TakesLongError:
            self._pending[self._submit(self._thread, work, is_wanted)] = then
            return
        except Exception as error:
            outcome = partial(_raised, error)
        then(outcome)

    @contextlib.contextmanager
    def limited(self, is_wanted: Callable[[], bool]) -> Iterator[None]:
        """Leave out the rest once it is not wanted."""
        with self._pace.limited(is_wanted), contextlib.suppress(StoppedError):
            yield

    def do_aside(self, work: Callable[[], None], is_wanted: Callable[[], bool]) -> None:
        """Call `work` in another thread, whatever becomes of it. It raises StoppedError once it is not wanted."""
        self._aside.append(self._submit(self._other_thread, work, is_wanted))

    def _submit(self, thread: ThreadPoolExecutor, work: Callable[[], _T], is_wanted: Callable[[], bool]) -> Future[_T]:
        def patiently() -> _T:
            with self._pace.limited(lambda: not self._is_closed and is_wanted()):
                return work()

        future = thread.submit(patiently)
        future.add_done_callback(lambda _: self._wake())
        return future

    def settle(self) -> None:
        """Call what was to be called with the outcome of everything that is done."""
        for future in [future for future in self._pending if future.done()]:
            self._pending.pop(future)(future.result)

    def close(self) -> None:
        """Stop the threads and wait for them."""
        self._is_closed = True
        for name in ("_thread", "_other_thread"):
            if name in vars(self):
                vars(self)[name].shutdown()

    @cached_property
    def _thread(self) -> ThreadPoolExecutor:
        return ThreadPoolExecutor(1)

    @cached_property
    def _other_thread(self) -> ThreadPoolExecutor:
        return ThreadPoolExecutor(1)
