"""Tell which variables and keys hold secrets, by their names, and of variables by passwords in URLs."""

from __future__ import annotations

import re

# Names as people give them: AZURE_CLIENT_SECRET, CHURN_STORAGE_KEY, SAS_TOKEN, PGPASSWORD, DB_PASS, OPENAI_APIKEY,
# MONGO_CONNECTION_STRING. What MONKEY and COMPASS end with too counts only behind what keys and passwords are for.
_SECRET_NAME = re.compile(
    r"""(^|_)(
        [A-Z0-9]*(SECRET | PASSWORD | PASSWD | PASSPHRASE | PWD | TOKEN | CONN_?STR) | SECRETS$ | PASSWORDS$
        | KEYS? | SAS | CREDENTIALS? | [A-Z0-9]*CONNECTION_?STRING
        | [A-Z0-9]*(API|ACCESS|ACCOUNT|AUTH|ENCRYPTION|MASTER|PRIVATE|SECRET|SHARED|SIGNING|SSH|STORAGE)KEYS?
        | (ADMIN|DB|FTP|GPG|HTTP|KEY|LDAP|MAIL|MONGO|MYSQL|PG|REDIS|ROOT|SMTP|SQL|SSH|STORE|SUDO|USER)PASS
        | PASS\d*$ | PAT\d*$
    )\d*(_|$)""",
    re.IGNORECASE | re.VERBOSE,
)
# The folders of shells; passes over data, of filters and of tests; patterns.
_HARMLESS_NAME = re.compile(
    r"""(OLD)?PWD
    | (.*_)?(FIRST|SECOND|THIRD|LAST|NEXT|ONE|TWO|SINGLE|MULTI|PER|NUM|MAX|MIN|FORWARD|BACKWARD
        |LOW|HIGH|BAND|ALL|BY|MUST|SHOULD|SKIP|ON)_PASS
    | (.*_)?(DATE|EXCLUDE|FILE|FILENAME|GLOB|IGNORE|INCLUDE|MATCH|NAME|PATH|RE|REGEX|SEARCH|URL)_PAT""",
    re.IGNORECASE | re.VERBOSE,
)
_PASSWORD_IN_URL = re.compile(r"\b[a-z][a-z0-9+.-]{0,30}://[^\s/?#:@]*:[^\s/?#]+@", re.IGNORECASE)
# Keys of hyperparameters and the like, where `primary_key` and `pad_token` are harmless: what their names end with.
_SECRET_KEY = re.compile(
    r"""(^|_)(
        passwords? | passwd | passphrase | (?<=_)pwd | secrets? | credentials? | sas | connection_string | conn_?str
        | (account|storage|api|access|secret|subscription|shared|private|master|signing|encryption)_?keys?
        | (sas|access|auth|api|bearer|refresh|session|security)_?tokens?
    )$""",
    re.VERBOSE,
)
# What a service makes up as a key or a token; neither a word nor a path nor a name with a date is like it.
_MADE_UP = re.compile(r"(?=.*[0-9])(?=.*[a-z])(?=.*[A-Z])[A-Za-z0-9+/_=-]{20,}")
_WORD_BOUNDARY = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


def is_secret_name(variable: str) -> bool:
    """Say whether a variable of this name is taken to hold a secret."""
    return bool(_SECRET_NAME.search(variable)) and not _HARMLESS_NAME.fullmatch(variable)


def is_secret(variable: str, value: str) -> bool:
    """Say whether a variable is taken to hold a secret, by its name or for a URL with a password in its value.

    Not so the address of a proxy, without which whatever reaches out would fail.
    """
    by_value = bool(_PASSWORD_IN_URL.search(value)) and not variable.upper().endswith("_PROXY")
    return by_value or is_secret_name(variable)


def holds_secret(key: str, text: str) -> bool:
    """Say whether a text under a key, such as `account_key`, `--password` or `apiKey`, is taken to be a secret."""
    name = _WORD_BOUNDARY.sub("_", key.lstrip("-")).replace("-", "_")
    if _SECRET_KEY.search(name.lower()):
        return bool(text.strip())
    return is_secret_name(name) and bool(_MADE_UP.fullmatch(text))
