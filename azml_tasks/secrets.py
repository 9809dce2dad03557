"""Tell which variables and keys hold secrets, by their names."""

from __future__ import annotations

import re

# Names as people give them: AZURE_CLIENT_SECRET, CHURN_STORAGE_KEY, SAS_TOKEN, DB_PASSWORD, MONGO_CONNECTION_STRING.
_SECRET_NAME = re.compile(
    r"(^|_)(SECRET|PASSWORD|PASSWD|PWD|TOKEN|KEY|KEYS|SAS|CREDENTIALS?|CONNECTION_STRING|CONNSTR)(_|$)",
    re.IGNORECASE,
)
# Keys of hyperparameters and the like, where `primary_key` and `pad_token` are harmless: what their names end with.
_SECRET_KEY = re.compile(
    r"""(^|_)(
        passwords? | passwd | passphrase | (?<=_)pwd | secrets? | credentials? | sas | connection_string | conn_?str
        | apikeys? | (account|storage|api|access|secret|subscription|shared|private|master|signing|encryption)_keys?
        | (sas|access|auth|api|bearer|refresh|session|security)_tokens?
    )$""",
    re.VERBOSE,
)
# What a service makes up as a key or a token; neither a word nor a path nor a name with a date is like it.
_MADE_UP = re.compile(r"(?=.*[0-9])(?=.*[a-z])(?=.*[A-Z])[A-Za-z0-9+/_=-]{20,}")
_WORD_BOUNDARY = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


def is_secret_name(variable: str) -> bool:
    """Say whether a variable of this name is taken to hold a secret."""
    return bool(_SECRET_NAME.search(variable)) and variable.upper() != "PWD"


def holds_secret(key: str, text: str) -> bool:
    """Say whether a text under a key, such as `account_key`, `--password` or `apiKey`, is taken to be a secret."""
    name = _WORD_BOUNDARY.sub("_", key.lstrip("-")).replace("-", "_")
    if _SECRET_KEY.search(name.lower()):
        return bool(text.strip())
    return is_secret_name(name) and bool(_MADE_UP.fullmatch(text))
