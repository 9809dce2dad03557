"""Variables of a terminal and of a session, which change how output looks and not what it is."""

from __future__ import annotations

_NAMES = frozenset(
    (
        *("COLUMNS", "LINES", "TERM", "COLORTERM", "NO_COLOR", "FORCE_COLOR", "CLICOLOR", "LS_COLORS", "SHLVL", "PWD"),
        *("OLDPWD", "_", "DISPLAY", "WAYLAND_DISPLAY", "WINDOWID", "STY", "TMUX", "TMUX_PANE", "TERMCAP", "TTY"),
        *("SHELL", "LOGNAME", "HOSTNAME", "MAIL", "EDITOR", "VISUAL", "PAGER", "LESS", "PS1", "PROMPT", "XAUTHORITY"),
        *("TERM_PROGRAM", "TERM_PROGRAM_VERSION", "TERM_SESSION_ID", "VTE_VERSION", "DBUS_SESSION_BUS_ADDRESS"),
    )
)
_PREFIXES = ("SSH_", "XDG_SESSION", "GNOME_", "KONSOLE_", "VSCODE_", "AZML_", "ITERM_", "WT_")


def is_of_session(name: str) -> bool:
    """Say whether a variable is one of those."""
    return name in _NAMES or name.startswith(_PREFIXES)
