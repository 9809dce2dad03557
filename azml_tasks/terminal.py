"""What a terminal can show: colors and the width of text."""

from __future__ import annotations

import os
import stat
import sys
import unicodedata
from collections.abc import Mapping
from typing import Literal, TextIO

Color = Literal["red", "green", "yellow", "cyan", "dim", "bold"]
_CODES: Mapping[Color, str] = {"red": "31", "green": "32", "yellow": "33", "cyan": "36", "dim": "2", "bold": "1"}
# The mode of a Windows console in which it obeys escape sequences (ENABLE_VIRTUAL_TERMINAL_PROCESSING).
_ESCAPES = 0x4
# How long (seconds) a pipe may take to get something to read.
_PATIENCE = 0.2


def can_be_read(stream: TextIO | None) -> bool:
    """Return whether a program that is started now could read from the stream; nothing is read from it here."""
    try:
        number = stream.fileno() if stream else -1
        mode = os.fstat(number).st_mode
    except (OSError, ValueError):
        return False
    if stat.S_ISREG(mode):
        return os.fstat(number).st_size > os.lseek(number, 0, os.SEEK_CUR)
    if os.isatty(number) or sys.platform == "win32":
        return os.isatty(number) or stat.S_ISFIFO(mode)
    import fcntl
    import select
    import struct
    import termios

    if not (stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode)):
        return False
    if not select.select([number], [], [], _PATIENCE)[0]:
        return True
    # Readable without any bytes: at its end.
    waiting = fcntl.ioctl(number, termios.FIONREAD, struct.pack("i", 0))
    return bool(struct.unpack("i", waiting)[0])


def obeys_escapes(stream: TextIO, environment: Mapping[str, str] = os.environ) -> bool:
    """Return whether the stream is a terminal that can move its cursor and show colors."""
    if not stream.isatty() or environment.get("TERM") == "dumb":
        return False
    return sys.platform != "win32" or _switch_escapes_on(stream)


def shows_colors(stream: TextIO, environment: Mapping[str, str] = os.environ) -> bool:
    """Return whether to color the text of the stream: NO_COLOR and FORCE_COLOR decide, else whether it is a terminal.

    See https://no-color.org and https://force-color.org.
    """
    if environment.get("NO_COLOR"):
        return False
    return bool(environment.get("FORCE_COLOR")) or obeys_escapes(stream, environment)


def _switch_escapes_on(stream: TextIO) -> bool:
    """Let a Windows console obey escape sequences, and return whether it does."""
    if sys.platform != "win32":
        return True
    import ctypes
    import msvcrt

    try:
        handle = msvcrt.get_osfhandle(stream.fileno())
    except (OSError, ValueError):
        return False
    kernel, mode = ctypes.windll.kernel32, ctypes.c_uint32()
    return bool(
        kernel.GetConsoleMode(handle, ctypes.byref(mode)) and kernel.SetConsoleMode(handle, mode.value | _ESCAPES)
    )


def painted(text: str, *colors: Color) -> str:
    """Return a text in these colors."""
    return f"\x1b[{';'.join(_CODES[color] for color in colors)}m{text}\x1b[0m" if text and colors else text


def width_of(text: str) -> int:
    """Return how many columns a text without control characters takes."""
    return len(text) if text.isascii() else sum(map(_columns, text))


def _columns(character: str) -> int:
    if unicodedata.combining(character) or unicodedata.category(character) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def fitted(text: str, columns: int) -> str:
    """Return the text, cut at its end with `...` if it takes more columns."""
    if width_of(text) <= columns:
        return text
    kept, room = "", columns - 3
    for character in text:
        room -= _columns(character)
        if room < 0:
            break
        kept += character
    return f"{kept}..."
