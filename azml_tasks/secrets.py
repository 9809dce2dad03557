"""What looks like a secret: a variable or a key by its name, a text by its shape, a file by its name or content."""

from __future__ import annotations

import base64
import binascii
import fnmatch
import os
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from itertools import islice

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
# The folders of shells; passes over data, of filters and of tests; patterns; key vaults; keys of tables; tokens.
_HARMLESS_NAME = re.compile(
    r"""(OLD)?PWD
    | (.*_)?(FIRST|SECOND|THIRD|LAST|NEXT|ONE|TWO|SINGLE|MULTI|PER|NUM|MAX|MIN|FORWARD|BACKWARD
        |LOW|HIGH|BAND|ALL|BY|MUST|SHOULD|SKIP|ON)_PASS
    | (.*_)?(DATE|EXCLUDE|FILE|FILENAME|GLOB|IGNORE|INCLUDE|MATCH|NAME|PATH|RE|REGEX|SEARCH|URL)_PAT
    | (.*_)?KEY_?VAULT(_(NAME|URL|URI|ID))?
    | (.*_)?(FOREIGN|GROUP|JOIN|MERGE|PARTITION|SORT)_KEYS?
    | (.*_)?(BOS|CLS|EOS|MASK|PAD|SEP|SPECIAL|STOP|UNK)_TOKEN""",
    re.IGNORECASE | re.VERBOSE,
)
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
# In a variable whatever stands there counts, `password` too.
_LOGIN_IN_URL = r"\b[a-z][a-z0-9+.-]{0,30}://(?P<user>[^\s/?#:]*):(?P<secret>[^\s/?#]+)@"
_WORD_BOUNDARY = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
HIDDEN = "***"


def is_secret_name(variable: str) -> bool:
    """Say whether a variable of this name is taken to hold a secret."""
    return bool(_SECRET_NAME.search(variable)) and not _HARMLESS_NAME.fullmatch(variable)


def is_secret(variable: str, value: str) -> bool:
    """Say whether a variable is taken to hold a secret, by its name or by the shape of its value.

    Not so the address of a proxy, without which whatever reaches out would fail.
    """
    if is_secret_name(variable):
        return True
    if re.search(_LOGIN_IN_URL, value, re.IGNORECASE):
        return not variable.upper().endswith("_PROXY")
    return secret_in(value) is not None


def holds_secret(key: str, text: str) -> bool:
    """Say whether a text under a key, such as `account_key`, `--password` or `apiKey`, is taken to be a secret."""
    name = _WORD_BOUNDARY.sub("_", key.lstrip("-")).replace("-", "_")
    if _SECRET_KEY.search(name.lower()):
        return bool(text.strip())
    return is_secret_name(name) and bool(_MADE_UP.fullmatch(text))


# What stands in examples and templates where a secret would be.
_PLACEHOLDER = re.compile(
    r"""<.*> | \{+\s*[\w.]+\s*\}+ | \[\w*\] | \$(\{.*|\(.*|[A-Za-z_]\w*) | %\(.*|%\w+% | .*\.\.\. | [x*.]{3,}
    | your[-_ ].* | my[-_ ]?(password|secret|token|key)
    | password | passwd | passphrase | pass | pwd | secret | token | key | changeme | change_me | redacted | hidden""",
    re.IGNORECASE | re.VERBOSE | re.DOTALL,
)
# The one of the storage emulator Azurite, which its documentation has.
_PUBLIC_KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
_OF_A_CONNECTION = re.compile(
    r"(?:^|[;,?&\s])(server|data source|host(name)?|addr(ess)?|user( ?id|name)?|uid|driver|db(name)?|database|ssl"
    r"|initial catalog|account(name)?|(shared)?access\w+|endpoint)\s*=|://",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class _Shape:
    """How one kind of secret looks: the group `secret` of `pattern`, in texts with one of `hints` in lower case."""

    kind: str
    hints: tuple[str, ...]
    pattern: str
    fits: Callable[[re.Match[str]], bool] | None = None
    flags: int = 0

    def compiled(self) -> re.Pattern[str]:
        """Return the pattern, which most processes never need: `re` keeps it."""
        return re.compile(self.pattern, self.flags)


# What stands beside the signature of an Azure address.
_BESIDE_A_SIGNATURE = re.compile(r"\b(sv|se|sr|skn|sp|st|spr|srt)(=|%3D)", re.IGNORECASE)
# Names of columns, files and options, with separators between their words.
_WORDS = re.compile(r"[a-z]+(?:[_.,:-][a-z0-9]+)*")
_NO_PASSWORD = re.compile(r"none|null|true|false|yes|no|/.*", re.IGNORECASE)
STORAGE_KEY = "a key of an Azure storage account"
# Where a SHA-512 stands, which in base64 is as long as such a key.
_KEY_OF_A_DIGEST = re.compile(r"hash|digest|checksum|sha|integrity|fingerprint", re.IGNORECASE)


def secret_in(text: str, key: str = "") -> str | None:
    """Return what kind of secret a text holds by its shape, such as `a GitHub token`; None when it holds none.

    `key` is what it stands under, where that is known.

    Keys and tokens with a mark of their own, passwords in URLs and connection strings, signatures, private keys.
    Neither hashes, ids and the like nor a reference such as `${TOKEN}` count.
    """
    is_digest = bool(_KEY_OF_A_DIGEST.search(key))
    return next((kind for kind, _, _ in _found(text) if not (is_digest and kind == STORAGE_KEY)), None)


def redact(text: str, secrets: Iterable[str] = ()) -> str:
    """Return the text with what has the shape of a secret, and each of `secrets`, replaced by `***`."""
    for secret in sorted(filter(None, secrets), key=len, reverse=True):
        text = text.replace(secret, HIDDEN)
    spans = sorted((start, end) for _, start, end in _found(text))
    pieces, place = [], 0
    for start, end in spans:
        if start >= place:
            pieces += [text[place:start], HIDDEN]
        place = max(place, end)
    return "".join([*pieces, text[place:]])


def _found(text: str) -> Iterator[tuple[str, int, int]]:
    """Yield the kind of each secret, and where it starts and ends."""
    if not _CANDIDATE.search(text):
        return
    lowered = text.lower()
    for shape in _shapes():
        if not any(hint in lowered for hint in shape.hints):
            continue
        for match in islice(shape.compiled().finditer(text), _MOST_LOOKED_AT):
            secret = match["secret"]
            is_one = not _PLACEHOLDER.fullmatch(secret) and _PUBLIC_KEY not in secret
            if is_one and (shape.fits is None or shape.fits(match)):
                yield shape.kind, *match.span("secret")


# What every shape has; most texts do not.
_CANDIDATE = re.compile(r"\S{16}|://|pass|pwd|-----", re.IGNORECASE)
_MOST_LOOKED_AT = 1_000


@cache
def _shapes() -> tuple[_Shape, ...]:
    """Return the shapes that the services document for what they hand out."""

    def token(kind: str, hints: str, pattern: str, fits: Callable[[re.Match[str]], bool] | None = None) -> _Shape:
        return _Shape(kind, tuple(hints.split()), rf"(?<![A-Za-z0-9])(?P<secret>{pattern})(?![A-Za-z0-9])", fits)

    def after(kind: str, hints: str, pattern: str, fits: Callable[[re.Match[str]], bool] | None = None) -> _Shape:
        return _Shape(kind, tuple(hints.split()), pattern, fits, re.IGNORECASE)

    return (
        after(
            "a signature, sig=",
            "sig= sig%3d",
            r"(?:^|[?&;,\s\"']|\\u0026|%3F|%26)sig(?:=|%3D)(?P<secret>[A-Z0-9%+/_=~.-]{10,})",
            lambda found: _is_mixed(found) or bool(_BESIDE_A_SIGNATURE.search(_around(found, 300))),
        ),
        after(
            "a connection string with its key",
            "key= signature= secret=",
            r"(?:(?:Account|Shared_?Access|Shared_?Secret|Primary|Secondary|Access)_?(?:Key|Signature)|(?<=;)Secret)"
            r"\s*=\s*[\"']?(?P<secret>[A-Z0-9%+/_=~.?&:-]{16,})",
            lambda found: not _WORDS.fullmatch(found["secret"]),
        ),
        after(
            "a connection string with its password",
            "pass pwd",
            r"(?:^|[;,?&\s])(?:password|passwd|pwd)\s*=\s*"
            r"(?P<secret>\{[^}\n]{3,}\}|'[^'\n]{3,}'|\"[^\"\n]{3,}\"|[^;,&\s'\"]{3,})",
            lambda found: (
                not _NO_PASSWORD.fullmatch(found["secret"]) and bool(_OF_A_CONNECTION.search(_around(found, 300)))
            ),
        ),
        # As SQLAlchemy passes it on: `odbc_connect=Driver%3D...%3BPWD%3D...`.
        after(
            "a connection string with its password",
            "pass pwd",
            r"%3B(?:\+|%20)*(?:password|pwd)%3D(?P<secret>(?:(?!%3B)[^\s;&'\"]){3,})",
        ),
        after(
            "a token in a URL",
            "token= secret= key= signature=",
            r"[?&](?:access_token|refresh_token|id_token|client_secret|api[_-]?key|subscription-key|(?:x-\w+-)?signature)="
            r"(?P<secret>[A-Z0-9%+/_=~.-]{16,})",
            lambda found: _has_digit(found["secret"]),
        ),
        after(
            "a token in a URL",
            "code=",
            r"[?&]code=(?P<secret>[A-Z0-9%+/_=-]{40,})",
            _is_mixed,
        ),
        # Of documentation and of test containers: `guest:guest@`.
        after("a password in a URL", "://", _LOGIN_IN_URL, lambda found: found["user"] != found["secret"]),
        after("a login", "basic ", r"\bBasic\s+(?P<secret>[A-Z0-9+/]{8,}={0,2})", _is_login),
        after(
            "a token in a URL",
            "https:// http://",
            r"https?://(?P<secret>[A-Z0-9_.~-]{16,}):?@",
            _has_mixed_run,
        ),
        after("a token in a URL", "/t/", r"://[\w.-]*conda[\w.-]*/t/(?P<secret>[A-Z0-9-]{16,})/"),
        after("a token", "bearer", r"\bBearer\s+(?P<secret>[A-Z0-9._~+/=-]{20,})", _is_mixed),
        token("a JSON web token", "eyj", r"(?<![\w-])eyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]{8,}"),
        token("a GitHub token", "ghp_ gho_ ghu_ ghs_ ghr_ github_pat_", r"gh[pousr]_\w{30,}|github_pat_\w{40,}"),
        token("a GitLab token", "glpat-", r"glpat-[\w-]{16,}"),
        token("an AWS key", "akia asia", r"A[KS]IA[A-Z0-9]{16}", lambda found: not found[0].endswith("EXAMPLE")),
        token(STORAGE_KEY, "==", r"(?<![+/])[A-Za-z0-9+/]{86}==(?!=)", _is_made_of_bytes),
        token("a client secret of Azure", "q~", r"[\w~.-]{3}\dQ~[\w~.-]{31,34}"),
        # Keys with a mark in their middle: of Cognitive Services and OpenAI, Functions, Redis, Service Bus, Event Hubs,
        # IoT Hub, Container Registry and Search.
        token(
            "a key of an Azure service",
            "jqqj9 azfu azca +asb +aeh aiot +acr azse",
            r"[A-Za-z0-9]{52}JQQJ9[9DH][A-Za-z0-9]{26}|[\w-]{44}AzFu[\w-]{5}[AQgw]=="
            r"|[A-Za-z0-9+/]{33}(?:AzCa|\+ASb|\+AEh|AIoT)[A-P][A-Za-z0-9+/]{5}="
            r"|[A-Za-z0-9+/]{42}(?:\+ACR|AzSe)[A-D][A-Za-z0-9+/]{5}",
        ),
        token("an Azure DevOps token", "azdo", r"[A-Za-z0-9]{76}AZDO[A-Za-z0-9]{4}"),
        _Shape(
            "a private key",
            ("private key", "putty-user-key-file", "age-secret-key-"),
            r"(?P<secret>-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY(?: BLOCK)?-----(?:.*?-----END[^\n]*|.*)"
            r"|PuTTY-User-Key-File-.*|AGE-SECRET-KEY-1[A-Z0-9]{20,})",
            flags=re.DOTALL,
        ),
        token(
            "a Slack token",
            "xox xapp-",
            r"(?:xox[a-z]|xapp)-(?![a-z]+(?!\w))[\w-]{10,}",
            lambda found: _has_digit(found[0]),
        ),
        after(
            "the address of a webhook",
            "hooks.slack.com/ .webhook.office.com/ /api/webhooks/",
            r"(?:hooks\.slack\.com/(?:services|workflows|triggers)|\.webhook\.office\.com/webhookb2"
            r"|discord(?:app)?\.com/api/webhooks)/(?P<secret>[\w@/+.-]{20,})",
        ),
        token("a Hugging Face token", "hf_ api_org_", r"(?:hf|api_org)_[A-Za-z0-9]{30,}"),
        token("a key of a model's service", "sk-", r"sk-[\w-]{20,}", _has_made_up_part),
        token("a Groq key", "gsk_", r"gsk_[A-Za-z0-9]{40,}"),
        token("a Replicate token", "r8_", r"r8_[A-Za-z0-9]{30,}"),
        token("a Google key", "aiza gocspx- ya29.", r"AIza[\w-]{30,}|GOCSPX-[\w-]{20,}|ya29\.[\w-]{20,}"),
        token("a Stripe key", "k_live_ k_test_", r"[rs]k_(?:live|test)_[A-Za-z0-9]{16,}"),
        token(
            "a SendGrid key", "sg.", r"SG\.[\w-]{16,}\.[\w-]{16,}", lambda found: found[0][3:].lower() != found[0][3:]
        ),
        token("an npm token", "npm_", r"npm_[A-Za-z0-9]{36,}"),
        token("a PyPI token", "pypi-", r"pypi-A[\w-]{50,}"),
        token("a Databricks token", "dapi", r"dapi[0-9a-f]{32}(?:-\d)?"),
        token("a Docker token", "dckr_pat_ dckr_oat_", r"dckr_[po]at_[\w-]{20,}"),
        token("a DigitalOcean token", "_v1_", r"do[opr]_v1_[0-9a-f]{64}"),
        token("a Vault token", "hvs. hvb.", r"hv[sb]\.[\w-]{24,}"),
        token("a Terraform token", ".atlasv1.", r"[A-Za-z0-9]{10,}\.atlasv1\.[\w-]{40,}"),
        token("a Grafana token", "glsa_ glc_", r"(?:glsa|glc)_[A-Za-z0-9_+/=]{32,}", _is_mixed),
    )


def _around(found: re.Match[str], most: int) -> str:
    return found.string[max(0, found.start() - most) : found.end() + most]


def _has_digit(text: str) -> bool:
    return any(character.isdigit() for character in text)


def _is_mixed(found: re.Match[str]) -> bool:
    secret = found["secret"]
    return _has_digit(secret) and secret != secret.lower() and secret != secret.upper()


def _has_mixed_run(found: re.Match[str]) -> bool:
    """Tell a token from the name of a user or an organization, which has its digits at the end of a word."""
    runs = re.split(r"[._~-]", found["secret"])
    return any(
        _has_digit(run) and (len(run) >= 20 or (len(run) >= 16 and re.search(r"\d[A-Za-z]", run))) for run in runs
    )


def _is_login(found: re.Match[str]) -> bool:
    """Say whether a text in base64 is a name and a password with a colon between them."""
    try:
        return b":" in base64.b64decode(found["secret"], validate=True)
    except (binascii.Error, ValueError):
        return False


def _has_made_up_part(found: re.Match[str]) -> bool:
    """Tell what a service made up from words with dashes between them."""
    return any(_is_made_up(part) for part in re.split(r"[-_]", found["secret"]))


def _is_made_up(text: str) -> bool:
    if len(text) < 16 or not _has_digit(text):
        return False
    if text in (text.lower(), text.upper()):
        return bool(re.fullmatch(r"[0-9a-f]{32}|[0-9a-f]{64}", text))
    # `RandomForestClassifier2024v1` is words for the most part.
    return 2 * len(re.sub(r"[A-Z][a-z]{3,}", "", text)) >= len(text)


def _is_made_of_bytes(found: re.Match[str]) -> bool:
    """Tell a key, which is random, from a text in base64 and from a SHA-512 that is called so."""
    if re.search(r"sha-?512[-:= \"']*$", found.string[max(0, found.start() - 12) : found.start()], re.IGNORECASE):
        return False
    try:
        decoded = base64.b64decode(found[0], validate=True)
    except (binascii.Error, ValueError):
        return False
    return not (decoded.isascii() and all(byte >= 0x20 or byte in b"\t\r\n" for byte in decoded))


# Where tools and services keep their logins, by the file's name, with the folder that it lies in where that counts.
# Folders that hold nothing else.
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
# What may hold a private key or a login under any name: files without a suffix, and these.
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
# Of pip and conda, whose addresses may hold a password.
_ADDRESS_FILES = frozenset(("pip.conf", "pip.ini", ".condarc", "condarc", ".yarnrc", ".yarnrc.yml"))
# A line of an .env file that sets something.
_SETTING = re.compile(r"^\s*(?:export\s+)?([A-Za-z_]\w*)\s*=\s*[\"']?([^\s\"']+)", re.MULTILINE)
_LOGIN_IN_JSON = re.compile(
    r'"(?:private_?key|client_?secret|(?:access|refresh)_?token|(?:aws_?)?secret_?access_?key|account_?key)"\s*:\s*'
    r'"(?P<secret>[^"\s]{16,}|-----BEGIN [^"]+)"',
    re.IGNORECASE,
)
# A password in an address is often that of an example or of a test's database, a key of Azure or GitHub is not.
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
    )
)
# As the settings of blobfuse have it.
_ACCOUNT_KEY = re.compile(r"account[-_]?key[\"']?\s*[:=]?\s*[\"']?[A-Za-z0-9+/]{86}==", re.IGNORECASE)
_KUBECONFIG = re.compile(
    r"(?=.*^kind:[ \t]*[\"']?Config\b).*^[ \t{-]*(user:[ \t]*\{?[ \t]*)?(client-key-data|token|password):",
    re.DOTALL | re.MULTILINE,
)
# What Google's tools write: the key of a service account, the login of a user.
_LOGIN_FILE = re.compile(r'"type"\s*:\s*"(service_account|authorized_user|external_account)"')
_PRIVATE_KEY = re.compile(
    r"\s*(-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY(?: BLOCK)?-----|PuTTY-User-Key-File-)|.*^AGE-SECRET-KEY-1",
    re.DOTALL | re.MULTILINE,
)


def looks_secret(path: str, project: str) -> bool:
    """Say whether a file looks like one in which secrets are kept: by its name and folder, or by its content.

    Folders count as far as they lie in the project. Raises OSError.
    """
    relative = os.path.relpath(path, project).replace(os.sep, "/").lower()
    name = relative.rpartition("/")[2]
    if _HARMLESS_FILES.fullmatch(name):
        return False
    if name.endswith((".pem", ".key")):
        return not _is_public(path)
    return bool(_secret_places().fullmatch(f"/{relative}")) or _holds_login(path, name)


@cache
def _secret_places() -> re.Pattern[str]:
    """Return what the paths of such files match, from a slash before them on."""
    folders = (rf".*/{re.escape(folder)}/.*" for folder in _SECRET_FOLDERS)
    patterns = (f"*/{pattern}" for pattern in (*_SECRET_PATHS, *_SECRET_FILES))
    return re.compile("|".join((*folders, *map(fnmatch.translate, patterns))), re.DOTALL)


def _holds_login(path: str, name: str) -> bool:
    """Say whether a small file holds a private key, a login of a service, or an address with a password."""
    suffix = os.path.splitext(name)[1]
    if suffix not in _LOOKED_INTO and name not in _ADDRESS_FILES and suffix != ".env":
        return False
    if os.path.getsize(path) > _MOST_BYTES:
        return False
    with open(path, encoding="utf-8", errors="replace") as file:
        text = file.read(_MOST_BYTES)
    if suffix == ".env":
        return any(is_secret(*pair) for pair in _SETTING.findall(text) if not _PLACEHOLDER.fullmatch(pair[1]))
    if name in _ADDRESS_FILES:
        return secret_in(text) is not None
    return _holds_key(text) or (suffix == ".json" and _holds_login_in_json(text))


def _holds_key(text: str) -> bool:
    return bool(_PRIVATE_KEY.match(text) or _KUBECONFIG.match(text) or _ACCOUNT_KEY.search(text)) or any(
        kind in _IN_FILES for kind, _, _ in _found(text)
    )


def _holds_login_in_json(text: str) -> bool:
    return bool(_LOGIN_FILE.search(text)) or any(
        not _PLACEHOLDER.fullmatch(found["secret"]) for found in _LOGIN_IN_JSON.finditer(text)
    )


def _is_public(path: str) -> bool:
    """Say whether a file holds certificates, public keys and the like, and no private key."""
    with open(path, "rb") as file:
        content = file.read(1_000_000)
    return b"-----BEGIN " in content and b"PRIVATE KEY" not in content
