"""Detect files with secrets, by name and folder, or by content."""

from __future__ import annotations

import base64
import fnmatch
import os
import re
from functools import cache

from azml_tasks.secrets.names import is_secret
from azml_tasks.secrets.texts import PLACEHOLDER, secret_in, secrets_found

# Where tools and services store logins: file names, with their folder if needed, and folders.
_SECRET_FOLDERS = frozenset((".aws", ".azure", ".gnupg", ".kube", ".oci", ".password-store", ".ssh", ".gcloud"))
_SECRET_PATHS = (
    ".cargo/credentials*",
    ".cache/huggingface/token",
    ".cache/huggingface/stored_tokens",
    ".composer/auth.json",
    ".config/composer/auth.json",
    ".config/configstore/*",
    ".config/containers/auth.json",
    ".config/doctl/*",
    ".config/gcloud/*",
    ".config/gh/hosts.yml",
    ".config/git/credentials",
    ".config/glab-cli/*",
    ".config/helm/registry/*",
    ".config/hub",
    ".config/op/*",
    ".config/rclone/*",
    ".databricks/token-cache.json",
    ".dbt/profiles.yml",
    ".docker/*.json",
    ".docker/.token*",
    ".docker/contexts/*",
    ".docker/machine/*",
    ".dvc/config.local",
    ".gem/credentials",
    ".huggingface/token",
    ".kaggle/kaggle.json",
    ".m2/settings*.xml",
    ".mc/config.json",
    ".modal.toml",
    ".snowflake/config.toml",
    ".snowflake/connections.toml",
    ".snowsql/config",
    ".streamlit/secrets.toml",
    ".subversion/auth/*",
    ".terraform.d/credentials*",
    "gcloud/access_tokens.db",
    "gcloud/credentials.db",
    "gcloud/legacy_credentials/*",
)
_SECRET_FILES = (
    ".boto",
    ".comet.config",
    ".databrickscfg",
    ".dockercfg",
    ".dockerconfigjson",
    ".env",
    ".env.*",
    ".credentials",
    ".envrc",
    ".git-credentials",
    ".htpasswd",
    ".my.cnf",
    ".mylogin.cnf",
    ".netrc",
    ".npmrc",
    ".passwd-s3fs",
    ".pgpass",
    ".pypirc",
    ".rclone.conf",
    ".renviron",
    ".s3cfg",
    ".secrets",
    ".secrets.json",
    ".secrets.toml",
    ".secrets.y*ml",
    ".terraformrc",
    ".token",
    ".vault-token",
    ".vault_pass*",
    "*.agekey",
    "*.jks",
    "*.kdbx",
    "*.key",
    "*.keystore",
    "*.kubeconfig",
    "*.p12",
    "*.pem",
    "*.pfx",
    "*.ppk",
    "*.publishsettings",
    "*.tfstate",
    "*.tfstate.*backup",
    "*.tfstate.backup",
    "*.tfvars",
    "*.tfvars.json",
    "*_accesskeys.csv",
    "_netrc",
    "accesskeys.csv",
    "accesstokens.json",
    "application_default_credentials.json",
    "azureauth.json",
    "clearml.conf",
    "client_secret*.json",
    "credentials",
    "credentials.ini",
    "credentials.json",
    "credentials.tfrc.json",
    "credentials.toml",
    "credentials.y*ml",
    "cwallet.sso",
    "id_dsa",
    "id_ecdsa",
    "id_ecdsa_sk",
    "id_ed25519",
    "id_ed25519_sk",
    "id_rsa",
    "kaggle.json",
    "kube.config",
    "kubeconfig",
    "kubeconfig.json",
    "kubeconfig.yaml",
    "kubeconfig.yml",
    "local.settings.json",
    "msal_http_cache*",
    "*msal_token_cache*",
    "pgpass.conf",
    "rclone.conf",
    "rootkey.csv",
    "secrets.json",
    "secrets.toml",
    "secrets.yaml",
    "secrets.yml",
    "service_account*.json",
    "service-account*.json",
    "service_principal*.json",
    "service_principal_entries.json",
    "terraform.rc",
)
_HARMLESS_FILES = re.compile(
    r"\.env(rc)?[._-](example|sample|template|dist|defaults?)|.*[._-](example|sample|template)(\.[a-z]+){0,2}"
    r"|(example|sample|template)[._-].*|.*msal_token_cache.*\.py"
)
# Files that may contain a private key or a login under any name: without a suffix, and these.
_LOOKED_INTO = frozenset(
    (
        "",
        ".json",
        ".txt",
        ".conf",
        ".cfg",
        ".ini",
        ".b64",
        ".asc",
        ".cer",
        ".crt",
        ".prod",
        ".local",
        ".gpg",
        ".p8",
        ".bak",
        ".old",
        ".yaml",
        ".yml",
        ".toml",
    )
)
_MOST_BYTES = 64_000
# Of pip and conda, whose URLs may contain a password.
_ADDRESS_FILES = re.compile(r"pip\.(conf|ini)|\.?condarc|\.yarnrc(\.yml)?|appsettings(\.[\w-]+)?\.json")
# Of dbt, in which a password is often a variable of the environment.
_PROFILES = r"(?m)^[ \t]*(?:password|pass|token|client_secret)[ \t]*:[ \t]*[\"']?([^\s\"'#{$][^\s\"'#]*)"
_ENV_FILE = re.compile(r".*\.env|env\.(?!(example|sample|template|dist|md)$)\w+")
# A line of an .env file that sets something.
_SETTING = r"(?m)^\s*(?:export\s+)?([A-Za-z_]\w*)\s*=\s*[\"']?([^\s\"']+)"
_LOGIN_IN_JSON = (
    r'(?i)"(?:private_?key|client_?secret|(?:access|refresh)_?token|(?:aws_?)?secret_?access_?key|account_?key)"\s*:\s*'
    r'"(?P<secret>[^"\s]{16,}|-----BEGIN [^"]+)"'
)
# A password in a URL is often from an example or a test database; a key of Azure or GitHub is not.
_IN_FILES = frozenset(
    (
        "a signature, sig=",
        "a connection string with its key",
        "a client secret of Azure",
        "a key of an Azure service",
        "an Azure DevOps token",
        "a GitHub token",
        "a GitLab token",
        "a Databricks token",
        "a Hugging Face token",
        "a PyPI token",
        "an npm token",
    )
)
# As in the settings of blobfuse.
_ACCOUNT_KEY = r"(?i)account[-_]?key[\"']?\s*[:=]?\s*[\"']?[A-Za-z0-9+/]{86}=="
_KUBECONFIG = (
    r"(?ms)(?=.*^kind:[ \t]*[\"']?Config\b).*^[ \t{-]*(user:[ \t]*\{?[ \t]*)?(client-key-data|token|password):"
)
# Written by Google's tools: the key of a service account, the login of a user.
_LOGIN_FILE = r'"type"\s*:\s*"(service_account|authorized_user|external_account)"'
# The state of Terraform has the keys of what it made.
_TERRAFORM = r'"terraform_version"\s*:'
# Searched for from the start of the text alone, as others would be tried at each of its characters.
_OF_TOOLS = (
    r"(?s)# (?:Netscape )?HTTP Cookie File"
    r"|(?:.*\n)?[ \t]*machine[ \t]+\S+\s+(?:login[ \t]+\S+\s+)?password[ \t]+\S"
    r"|(?:.*\n)?[ \t]*(?://\S+:)?_?(?:authToken|auth|password|npmAuthToken|npmAuthIdent)"
    r"[ \t]*[=:][ \t]*[\"']?[^\s$\"']{8}"
)
_KUBERNETES_SECRET = (
    r"(?m)^kind:[ \t]*[\"']?Secret\b",
    r"(?m)^(data|stringData):",
)
# Of Docker: a name and a password in base64.
_AUTH = r'"(?:auth|identitytoken|registrytoken)"\s*:\s*"[A-Za-z0-9+/=_.-]{8,}"'
_IN_BASE64 = r"LS0tLS1CRUdJTi[A-Za-z0-9+/]{18,42}"
_PRIVATE_KEY = (
    r"(?ms)\s*(-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY(?: BLOCK)?-----|PuTTY-User-Key-File-)|.*^AGE-SECRET-KEY-1"
    r"|.*-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY(?: BLOCK)?-----(?:\s|\\[nr])+(?:Proc-Type:|[A-Za-z0-9+/]{32})"
)


def looks_secret(path: str, project: str, *, by_content: bool = True) -> bool:
    """Return whether a file looks like one in which secrets are kept: by its name and folder, or by its content.

    Folders count as far as they are in the project. Raises OSError.
    """
    within = os.path.join(project, "")
    inside = path[len(within) :] if path.startswith(within) else os.path.relpath(path, project)
    relative = os.path.normpath(inside).replace(os.sep, "/").lower()
    name = relative.rpartition("/")[2]
    if _HARMLESS_FILES.fullmatch(name):
        return False
    if name.endswith((".pem", ".key")):
        return not _is_public(path)
    return _is_secret_place(f"/{relative}") or (by_content and _holds_login(path, name))


def _is_secret_place(path: str) -> bool:
    """Return whether a path, starting with a slash, is that of such a file."""
    ends, patterns = _secret_places()
    if path.endswith(ends) or not _SECRET_FOLDERS.isdisjoint(path.split("/")[:-1]):
        return True
    return any(text in path and fnmatch.fnmatchcase(path, pattern) for text, pattern in patterns)


@cache
def _secret_places() -> tuple[tuple[str, ...], tuple[tuple[str, str], ...]]:
    """Return the ends of the paths of such files, and patterns for the others, each after a text in what it matches."""
    places = [place[1:] if place[0] == "*" else f"/{place}" for place in (*_SECRET_PATHS, *_SECRET_FILES)]
    ends = tuple(place for place in places if "*" not in place)
    return ends, tuple((max(place.split("*"), key=len), f"*{place}") for place in places if "*" in place)


def _holds_login(path: str, name: str) -> bool:
    """Return whether a small file contains a private key, a login of a service, or a URL with a password."""
    suffix = os.path.splitext(name)[1]
    is_address, is_env = _ADDRESS_FILES.fullmatch(name), _ENV_FILE.fullmatch(name)
    if suffix not in _LOOKED_INTO and not is_address and not is_env:
        return False
    if os.path.getsize(path) > _MOST_BYTES:
        return False
    with open(path, encoding="utf-8", errors="replace") as file:
        text = file.read(_MOST_BYTES)
    if is_env and any(
        is_secret(*pair) for pair in re.findall(_SETTING, text) if not re.fullmatch(PLACEHOLDER, pair[1])
    ):
        return True
    if is_address and secret_in(text) is not None:
        return True
    if name in ("profiles.yml", "profiles.yaml") and any(
        not re.fullmatch(PLACEHOLDER, one) for one in re.findall(_PROFILES, text)
    ):
        return True
    return _holds_key(text) or (suffix == ".json" and _holds_login_in_json(text))


def _holds_key(text: str) -> bool:
    return (
        bool(re.match(_PRIVATE_KEY, text) or re.match(_KUBECONFIG, text) or re.search(_ACCOUNT_KEY, text))
        or bool(re.match(_OF_TOOLS, text))
        or all(re.search(pattern, text) for pattern in _KUBERNETES_SECRET)
        or any(kind in _IN_FILES for kind, _, _ in secrets_found(text))
        or any(b"PRIVATE KEY" in _decoded(found[0]) for found in re.finditer(_IN_BASE64, text))
    )


def _decoded(text: str) -> bytes:
    return base64.b64decode(text[: len(text) // 4 * 4])


def _holds_login_in_json(text: str) -> bool:
    return any(re.search(pattern, text) for pattern in (_LOGIN_FILE, _TERRAFORM, _AUTH)) or any(
        not re.fullmatch(PLACEHOLDER, found["secret"]) for found in re.finditer(_LOGIN_IN_JSON, text)
    )


def _is_public(path: str) -> bool:
    """Return whether a file contains certificates, public keys and the like, but no private key."""
    with open(path, "rb") as file:
        content = file.read(1_000_000)
    return b"-----BEGIN " in content and b"PRIVATE KEY" not in content
