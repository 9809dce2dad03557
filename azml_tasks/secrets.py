"""Tell which variables hold secrets, by their names."""

from __future__ import annotations

import re

# Names as people give them: AZURE_CLIENT_SECRET, CHURN_STORAGE_KEY, SAS_TOKEN, DB_PASSWORD, MONGO_CONNECTION_STRING.
_SECRET_NAME = re.compile(
    r"(^|_)(SECRET|PASSWORD|PASSWD|PWD|TOKEN|KEY|KEYS|SAS|CREDENTIALS?|CONNECTION_STRING|CONNSTR)(_|$)",
    re.IGNORECASE,
)


def is_secret_name(variable: str) -> bool:
    """Say whether a variable of this name is taken to hold a secret."""
    return bool(_SECRET_NAME.search(variable)) and variable.upper() != "PWD"
