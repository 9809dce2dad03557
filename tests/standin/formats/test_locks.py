"""Locks on files: those of this system between processes, and those of Windows with what Windows' module does."""

from __future__ import annotations

import errno
import os
import subprocess
import sys

import pytest

from azml_tasks.standin.azml_local.formats.locks import is_byte_locked, is_locked, lock, lock_byte

HOLDER = """
import os, sys
from azml_tasks.standin.azml_local.formats.locks import lock
descriptor = os.open(sys.argv[1], os.O_RDWR)
print(lock(descriptor), flush=True)
sys.stdin.read()
"""


@pytest.mark.processes
@pytest.mark.skipif(sys.platform == "win32", reason="see the tests below")
def test_a_lock_is_seen_until_its_process_is_killed(tmp_path):
    file = tmp_path / "lock"
    file.touch()
    command = [sys.executable, "-c", HOLDER, str(file)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout.readline() == "True\n"
        assert is_locked(file)
        holder.kill()

    assert not is_locked(file)


def test_a_file_that_does_not_exist_is_not_locked_and_not_created(tmp_path):
    assert not is_locked(tmp_path / "lock")
    assert os.listdir(tmp_path) == []


def test_a_lock_ends_when_its_file_is_closed(tmp_path):
    file = tmp_path / "lock"
    with file.open("wb") as opened:
        assert lock(opened.fileno())
        assert is_locked(file)
    assert not is_locked(file)


class Msvcrt:
    """The module of that name, as far as locks go: one owner of a byte of a file at a time."""

    LK_UNLCK, LK_LOCK, LK_NBLCK = 0, 1, 2

    def __init__(self) -> None:
        self.owners: dict[tuple[int, int], int] = {}
        self.calls: list[int] = []
        self.before_calls: dict[int, object] = {}

    def locking(self, descriptor: int, mode: int, count: int) -> None:
        self.calls.append(mode)
        action = self.before_calls.get(len(self.calls))
        if callable(action):
            action()
        place = (os.fstat(descriptor).st_ino, os.lseek(descriptor, 0, os.SEEK_CUR))
        if mode == self.LK_UNLCK:
            assert self.owners.pop(place) == descriptor
        elif place in self.owners:
            raise OSError(errno.EACCES if mode == self.LK_NBLCK else errno.EDEADLK, "is locked")
        else:
            self.owners[place] = descriptor


@pytest.fixture
def two(tmp_path):
    """Return two descriptors of a file with content, the first in the middle of it."""
    file = tmp_path / "results"
    file.write_bytes(b"content")
    descriptors = [os.open(file, os.O_RDWR), os.open(file, os.O_RDONLY)]
    os.lseek(descriptors[0], 3, os.SEEK_SET)
    yield descriptors
    for descriptor in descriptors:
        os.close(descriptor)


def test_on_windows_a_byte_behind_the_content_is_locked_and_the_position_kept(two):
    msvcrt = Msvcrt()

    assert lock_byte(msvcrt, two[0])
    ((_, place),) = msvcrt.owners
    assert place > 2**31
    assert os.read(two[0], 10) == b"tent"
    assert os.fstat(two[0]).st_size == len("content")


def test_on_windows_a_lock_is_waited_for_longer_than_windows_waits(two):
    msvcrt = Msvcrt()
    lock_byte(msvcrt, two[1])
    msvcrt.before_calls[4] = msvcrt.owners.clear

    assert lock_byte(msvcrt, two[0])
    assert msvcrt.calls == [msvcrt.LK_LOCK] * 4


def test_on_windows_a_disk_without_locks_locks_nothing(two):
    class Without(Msvcrt):
        def locking(self, descriptor: int, mode: int, count: int) -> None:
            raise OSError(errno.EINVAL, "not supported")

    assert not lock_byte(Without(), two[0])
    assert not is_byte_locked(Without(), two[1])


def test_on_windows_looking_leaves_no_lock_behind(two):
    msvcrt = Msvcrt()

    assert not is_byte_locked(msvcrt, two[1])
    assert msvcrt.owners == {}
    lock_byte(msvcrt, two[0])
    assert is_byte_locked(msvcrt, two[1])


def test_on_windows_two_who_look_at_once_do_not_take_each_other_for_a_runner(two):
    msvcrt = Msvcrt()
    lock_byte(msvcrt, two[0])  # the other one looks
    msvcrt.before_calls[3] = msvcrt.owners.clear  # and is done

    assert not is_byte_locked(msvcrt, two[1])
