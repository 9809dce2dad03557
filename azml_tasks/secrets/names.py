"""Detect variables and keys with a secret, by name or by the shape of the value."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from azml_tasks.secrets.texts import HIDDEN, LOGIN_IN_URL, secret_in

# Typical names: AZURE_CLIENT_SECRET, CHURN_STORAGE_KEY, SAS_TOKEN, PGPASSWORD, DB_PASS, OPENAI_APIKEY,
# MONGO_CONNECTION_STRING. Endings that MONKEY and COMPASS share count only after a purpose of keys and passwords.
_NAME = r"""(?ix)
    (^|_)(
        [A-Z0-9]*(SECRET | PASSWORD | PASSWD | PASSPHRASE | PWD | TOKEN | CONN_?STR) | SECRETS$ | PASSWORDS$
        | KEYS? | SAS | CREDENTIALS? | [A-Z0-9]*CONNECTION_?STRING
        | [A-Z0-9]*(API|ACCESS|ACCOUNT|AUTH|ENCRYPTION|MASTER|PRIVATE|SECRET|SHARED|SIGNING|SSH|STORAGE)KEYS?
        | (ADMIN|DB|FTP|GPG|HTTP|KEY|LDAP|MAIL|MONGO|MYSQL|PG|REDIS|ROOT|SMTP|SQL|SSH|STORE|SUDO|USER)PASS
        | PASS\d*$ | PAT\d*$
    )\d*(_|$)"""
# The folders of shells; passes over data, of filters and of tests; patterns; key vaults; keys of tables; tokens.
_HARMLESS_NAME = r"""(?ix)
    (OLD)?PWD
    | (.*_)?(FIRST|SECOND|THIRD|LAST|NEXT|ONE|TWO|SINGLE|MULTI|PER|NUM|MAX|MIN|FORWARD|BACKWARD
        |LOW|HIGH|BAND|ALL|BY|MUST|SHOULD|SKIP|ON)_PASS
    | (.*_)?(DATE|EXCLUDE|FILE|FILENAME|GLOB|IGNORE|INCLUDE|MATCH|NAME|PATH|RE|REGEX|SEARCH|URL)_PAT
    | (.*_)?KEY_?VAULT(_(NAME|URL|URI|ID))?
    | (.*_)?(FOREIGN|GROUP|JOIN|MERGE|PARTITION|SORT)_KEYS?
    | (.*_)?(BOS|CLS|EOS|MASK|PAD|SEP|SPECIAL|STOP|UNK)_TOKEN"""
# Keys of settings and the like, where `primary_key` and `pad_token` are harmless: what their names end with.
_KEY = r"""(?x)
    (^|_)(
        passwords? | passwd | passphrase | (?<=_)pwd | secrets? | credentials? | sas | connection_string | conn_?str
        | (account|storage|api|access|secret|subscription|shared|private|master|signing|encryption)_?keys?
        | (sas|access|auth|api|bearer|refresh|session|security)_?tokens?
    )$"""
# One of these is in every name that counts as a secret, but not in most others.
_PARTS = ("secret", "pass", "pwd", "token", "conn", "key", "sas", "credential")
_FOLDERS_OF_SHELLS = ("PWD", "OLDPWD")
# Shorter values may be parts of other words.
_SHORTEST, _SHORTEST_COPIED = 6, 8
# A generated key or token; not a word, a path or a name with a date.
_MADE_UP = r"(?=.*[0-9])(?=.*[a-z])(?=.*[A-Z])[A-Za-z0-9+/_=-]{20,}"
_NO_WORD = re.compile(r"(?![/~.]|[0-9.:-]*$)(?=.*[0-9])(?=.*[A-Za-z])")
_WORD_BOUNDARY = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


def is_secret_name(variable: str) -> bool:
    """Return whether a variable with this name counts as a secret."""
    if not _may_be_secret(variable):
        return False
    return bool(re.search(_NAME, variable)) and not re.fullmatch(_HARMLESS_NAME, variable)


def _may_be_secret(name: str) -> bool:
    """Return whether a name may be that of a secret, so that most names need no pattern."""
    if name in _FOLDERS_OF_SHELLS:
        return False
    lowered = name.lower()
    may_be_token = lowered.rstrip("0123456789\n").endswith("pat")
    return may_be_token or any(part in lowered for part in _PARTS) or not name.isascii()


def is_secret(variable: str, value: str) -> bool:
    """Return whether a variable counts as a secret, by its name or by the shape of its value.

    The URL of a proxy does not, because network access may need it.
    """
    if is_secret_name(variable):
        return True
    if "://" in value and re.search(LOGIN_IN_URL, value, re.IGNORECASE):
        return not variable.upper().endswith("_PROXY")
    return secret_in(value) is not None


def known_secrets(variables: Mapping[str, str]) -> list[str]:
    """Return the values of those variables that count as secrets, except for short ones."""
    return [value for name, value in variables.items() if len(value) >= _SHORTEST and is_secret(name, value)]


def made_up_secrets(variables: Mapping[str, str]) -> dict[str, str]:
    """Return the variables that count as secrets and whose values are neither words nor paths."""
    candidates = ((name, value) for name, value in variables.items() if len(value) >= _SHORTEST_COPIED)
    return {name: value for name, value in candidates if _NO_WORD.match(value) and is_secret(name, value)}


def secret_or_copy_in(text: str, secrets: Mapping[str, str], key: str = "") -> str | None:
    """Return the kind of secret in a text, by its shape or as it contains one of `secrets`; None if there is none."""
    kind = secret_in(text, key)
    if kind or not secrets:
        return kind
    return next((f"the value of {name}" for name, value in secrets.items() if value in text), None)


def holds_secret(key: str, text: str) -> bool:
    """Return whether a text under a key, such as `account_key`, `--password` or `apiKey`, counts as a secret."""
    name = _WORD_BOUNDARY.sub("_", key.lstrip("-")).replace("-", "_")
    if not _may_be_secret(name):
        return False
    if re.search(_KEY, name.lower()):
        return bool(text.strip())
    return is_secret_name(name) and bool(re.fullmatch(_MADE_UP, text))


def without_secrets(name: str, value: Any) -> Any:
    """Return a value with the secrets in it left out; `name` are the keys that lead to it, with dots."""
    if isinstance(value, Mapping):
        return {key: without_secrets(f"{name}.{key}", item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(without_secrets(name, item) for item in value)
    if value is None or isinstance(value, bool):
        return value
    text = str(value)
    pairs = [(part, text) for part in (name, *name.split("."))]
    word, equals, rest = text.partition("=")
    pairs += [(word, rest)] if equals else []
    return HIDDEN if is_secret("", text) or any(holds_secret(*pair) for pair in pairs) else value
