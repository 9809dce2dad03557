"""What is around a step besides its files: .env, the variables of a terminal or a session, the system's own files.

Reads of the latter two do not affect a step's result.
"""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    import re

_ASSIGNMENT = r"""^[^\S\n]*(?:export[^\S\n]+)?(?P<name>[^=\#\s'"]+)[^\S\n]*=[^\S\n]*
    (?:'(?P<single>(?:\\'|[^'])*)'|"(?P<double>(?:\\"|[^"])*)"|(?P<bare>[^\n]*))"""
_ESCAPES = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}

_NAMES = frozenset(
    (
        *("COLUMNS", "LINES", "TERM", "COLORTERM", "NO_COLOR", "FORCE_COLOR", "CLICOLOR", "LS_COLORS", "SHLVL", "PWD"),
        *("OLDPWD", "_", "DISPLAY", "WAYLAND_DISPLAY", "WINDOWID", "STY", "TMUX", "TMUX_PANE", "TERMCAP", "TTY"),
        *("SHELL", "HOSTNAME", "MAIL", "EDITOR", "VISUAL", "PAGER", "LESS", "PS1", "PROMPT", "XAUTHORITY"),
        *("TERM_PROGRAM", "TERM_PROGRAM_VERSION", "TERM_SESSION_ID", "VTE_VERSION", "DBUS_SESSION_BUS_ADDRESS"),
        *(
            "WINDOWPATH",
            "SESSION_MANAGER",
            "SESSIONNAME",
            "SECURITYSESSIONID",
            "DESKTOP_STARTUP_ID",
            "COLORFGBG",
            "PS2",
        ),
        *(
            "INVOCATION_ID",
            "JOURNAL_STREAM",
            "MANAGERPID",
            "SYSTEMD_EXEC_PID",
            "WSL_INTEROP",
            "CONDA_SHLVL",
            "JPY_PARENT_PID",
        ),
        *("CONDA_PROMPT_MODIFIER", "VIRTUAL_ENV_PROMPT", "STARSHIP_SESSION_KEY", "ATUIN_SESSION", "TERMINATOR_UUID"),
        *("TILIX_ID", "NVIM", "INSIDE_EMACS", "GIO_LAUNCHED_DESKTOP_FILE_PID", "WINDOW", "HISTFILE", "HISTSIZE"),
        # Ours; other names that begin like these may be the project's own.
        *("AZML_RUN_CONTEXT", "AZML_RUN_PROCESS", "AZML_RUN_JOB", "AZML_LOCAL_GUARD"),
        "AZML_LOCAL_PROCESS",
    )
)
_PREFIXES: tuple[str, ...] = (
    "SSH_",
    "XDG_SESSION",
    "GNOME_",
    "KONSOLE_",
    "VSCODE_",
    "ITERM_",
    "WT_",
    "ZELLIJ",
    "KITTY_",
    "WEZTERM_",
)
_PREFIXES += ("ALACRITTY_", "GHOSTTY_", "DIRENV_", "WARP_")


def is_of_session(name: str) -> bool:
    """Return whether a variable is one of those."""
    return name in _NAMES or name.startswith(_PREFIXES)


def is_of_system(path: str) -> bool:
    """Return whether a path is a device, or information about processes and the kernel."""
    # Shared memory contains normal files.
    return path.startswith(("/proc/", "/dev/", "/sys/")) and not path.startswith("/dev/shm/")  # noqa: S108 - compared


def read_env_file(path: str | None) -> dict[str, str]:
    """Return the variables of a .env file: NAME=value, quotes, escapes and comments as dotenv reads them."""
    if not path or not os.path.isfile(path):
        return {}
    import re  # here, since the recorder imports this module in every interpreter

    with open(path, encoding="utf-8-sig") as file:
        text = file.read()
    assignments = re.finditer(_ASSIGNMENT, text, re.MULTILINE | re.VERBOSE)
    return {match["name"]: _value(match) for match in assignments}


def _value(match: re.Match[str]) -> str:
    import re

    if match["single"] is not None:
        return re.sub(r"\\(['\\])", r"\1", match["single"])
    if match["double"] is not None:
        return re.sub(r"\\([\\'\"abfnrtv])", lambda escape: _ESCAPES.get(escape[1], escape[1]), match["double"])
    return re.sub(r"\s+#.*", "", match["bare"]).rstrip()
