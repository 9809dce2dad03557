"""What says nothing of a step's result: variables of a terminal or a session, and the system's own files."""

from __future__ import annotations

_NAMES = frozenset(
    (
        *("COLUMNS", "LINES", "TERM", "COLORTERM", "NO_COLOR", "FORCE_COLOR", "CLICOLOR", "LS_COLORS", "SHLVL", "PWD"),
        *("OLDPWD", "_", "DISPLAY", "WAYLAND_DISPLAY", "WINDOWID", "STY", "TMUX", "TMUX_PANE", "TERMCAP", "TTY"),
        *("SHELL", "HOSTNAME", "MAIL", "EDITOR", "VISUAL", "PAGER", "LESS", "PS1", "PROMPT", "XAUTHORITY"),
        *("TERM_PROGRAM", "TERM_PROGRAM_VERSION", "TERM_SESSION_ID", "VTE_VERSION", "DBUS_SESSION_BUS_ADDRESS"),
        # Ours; other names that begin like these may be the project's own.
        *("AZML_RUN_CONTEXT", "AZML_LOCAL_GUARD", "AZML_LOCAL_PROCESS"),
    )
)
_PREFIXES = ("SSH_", "XDG_SESSION", "GNOME_", "KONSOLE_", "VSCODE_", "ITERM_", "WT_")


def is_of_session(name: str) -> bool:
    """Say whether a variable is one of those."""
    return name in _NAMES or name.startswith(_PREFIXES)


def is_of_system(path: str) -> bool:
    """Say whether a path is a device, or tells of processes and of the kernel."""
    # What is in shared memory are files like any other.
    return path.startswith(("/proc/", "/dev/", "/sys/")) and not path.startswith("/dev/shm/")  # noqa: S108 - compared
