"""Detect secrets in texts by shape: keys, tokens, passwords in URLs and connection strings."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from itertools import islice
from typing import NamedTuple

# In a variable every value counts, even `password`.
LOGIN_IN_URL = r"\b[a-z][a-z0-9+.-]{0,30}://(?P<user>[^\s/?#:]*):(?P<secret>[^\s/?#]+)@"
HIDDEN = "***"
# Placeholders for secrets in examples and templates.
PLACEHOLDER = r"""(?isx)
    <.*> | \{+\s*[\w.]+\s*\}+ | \[\w*\] | \$(\{.*|\(.*|[A-Za-z_]\w*) | %\(.*|%\w+% | .*\.\.\. | [x*.]{3,}
    | your[-_ ].* | my[-_ ]?(password|secret|token|key)
    | password | passwd | passphrase | pass | pwd | secret | token | key | changeme | change_me | redacted | hidden"""
# The documented key of the storage emulator Azurite.
_PUBLIC_KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
_OF_A_CONNECTION = (
    r"(?i)(?:^|[;,?&\s])(server|data source|host(name)?|addr(ess)?|user( ?id|name)?|uid|driver|db(name)?|database|ssl"
    r"|initial catalog|account(name)?|(shared)?access\w+|endpoint)\s*=|://"
)


class _Shape(NamedTuple):
    """The shape of one kind of secret: the group `secret` of `pattern`, in texts with one of `hints` in lower case."""

    kind: str
    hints: tuple[str, ...]
    pattern: str
    fits: Callable[[re.Match[str]], bool] | None = None
    flags: int = 0

    def compiled(self) -> re.Pattern[str]:
        """Return the pattern, compiled when first needed and cached by `re`."""
        return re.compile(self.pattern, self.flags)


# Text next to the signature in an Azure URL.
_BESIDE_A_SIGNATURE = r"(?i)\b(sv|se|sr|skn|sp|st|spr|srt)(=|%3D)"
# Names of columns, files and options, with separators between their words.
_WORDS = r"[a-z]+(?:[_.,:-][a-z0-9]+)*"
_NO_LOGIN = r"(?i)none|null|true|false|yes|no|/.*"
STORAGE_KEY = "a key of an Azure storage account"
# A SHA-512 in base64 is as long as such a key.
_KEY_OF_A_DIGEST = r"(?i)hash|digest|checksum|sha|integrity|fingerprint"


def secret_in(text: str, key: str = "") -> str | None:
    """Return the kind of secret in a text, such as `a GitHub token`; None if there is none.

    `key` is its key, if known. Keys and tokens with a recognisable form, passwords in URLs and connection strings,
    signatures, private keys. Neither hashes, ids and the like nor a reference such as `${TOKEN}` count.
    """
    if not _CANDIDATE.search(text):
        return None
    is_digest = bool(key and re.search(_KEY_OF_A_DIGEST, key))
    return next((kind for kind, _, _ in secrets_found(text) if not (is_digest and kind == STORAGE_KEY)), None)


def redact(text: str, secrets: Iterable[str] = ()) -> str:
    """Return the text with what has the shape of a secret, and each of `secrets`, replaced by `***`."""
    for secret in sorted(filter(None, secrets), key=len, reverse=True):
        text = text.replace(secret, HIDDEN)
    spans = sorted((start, end) for _, start, end in secrets_found(text))
    pieces, place = [], 0
    for start, end in spans:
        if start >= place:
            pieces += [text[place:start], HIDDEN]
        place = max(place, end)
    return "".join([*pieces, text[place:]])


def secrets_found(text: str) -> Iterator[tuple[str, int, int]]:
    """Yield the kind of each secret, and where it starts and ends."""
    if not _CANDIDATE.search(text):
        return
    lowered = text.lower()
    for shape in _shapes():
        if not any(hint in lowered for hint in shape.hints):
            continue
        for match in islice(shape.compiled().finditer(text), _MOST_LOOKED_AT):
            secret = match["secret"]
            is_one = not re.fullmatch(PLACEHOLDER, secret) and _PUBLIC_KEY not in secret
            if is_one and (shape.fits is None or shape.fits(match)):
                yield shape.kind, *match.span("secret")


# Contained in every shape, but not in most texts.
_CANDIDATE = re.compile(r"\S{16}|://|pass|pwd|-----", re.IGNORECASE)
_MOST_LOOKED_AT = 1_000


@cache
def _shapes() -> tuple[_Shape, ...]:
    """Return the shapes that services document for their secrets."""

    def token(kind: str, hints: str, pattern: str, fits: Callable[[re.Match[str]], bool] | None = None) -> _Shape:
        return _Shape(kind, tuple(hints.split()), rf"(?<![A-Za-z0-9])(?P<secret>{pattern})(?![A-Za-z0-9])", fits)

    def after(kind: str, hints: str, pattern: str, fits: Callable[[re.Match[str]], bool] | None = None) -> _Shape:
        return _Shape(kind, tuple(hints.split()), pattern, fits, re.IGNORECASE)

    return (
        after(
            "a signature, sig=",
            "sig= sig%3d",
            r"(?:^|[?&;,\s\"']|\\u0026|%3F|%26)sig(?:=|%3D)(?P<secret>[A-Z0-9%+/_=~.-]{10,})",
            lambda found: _is_mixed(found) or bool(re.search(_BESIDE_A_SIGNATURE, _around(found, 300))),
        ),
        after(
            "a connection string with its key",
            "key= signature= secret= key%3d",
            r"(?:(?:Account|Shared_?Access|Shared_?Secret|Primary|Secondary|Access)_?(?:Key|Signature)|(?<=;)Secret)"
            r"\s*(?:=|%3D)\s*[\"']?(?P<secret>[A-Z0-9%+/_=~.?&:-]{16,})",
            lambda found: not re.fullmatch(_WORDS, found["secret"]),
        ),
        after(
            "a connection string with its password",
            "pass pwd",
            r"(?:^|[;,?&\s])(?:password|passwd|pwd)\s*=\s*"
            r"(?P<secret>\{[^}\n]{3,}\}|'[^'\n]{3,}'|\"[^\"\n]{3,}\"|[^;,&\s'\"]{3,})",
            lambda found: (
                not re.fullmatch(_NO_LOGIN, found["secret"]) and bool(re.search(_OF_A_CONNECTION, _around(found, 300)))
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
            r"[?&](?:(?:(?:access|refresh|id|private|auth|job|deploy|session|api|sas)[_-]?)?token|client_secret|api[_-]?key|subscription-key|aeg-sas-key|(?:x-\w+-)?signature)="
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
        after("a password in a URL", "://", LOGIN_IN_URL, lambda found: found["user"] != found["secret"]),
        after("a login", "basic ", r"\bBasic\s+(?P<secret>[A-Z0-9+/]{8,}={0,2})", _is_login),
        after(
            "a token in a URL",
            "https:// http://",
            r"https?://(?P<secret>[A-Z0-9_.~-]{16,}):?@",
            _has_mixed_run,
        ),
        after("a token in a URL", "/t/", r"://[\w.-]*conda[\w.-]*/t/(?P<secret>[A-Z0-9-]{16,})/"),
        # As errors and settings show them: `client_secret='...'`, `"apiKey": "..."`, `--password ...`.
        after(
            "a secret by its name",
            "secret password passwd pwd token key",
            r"(?:(?:client|app|shared|consumer)_?secret|secret_?(?:key|access_?key)|passw(?:or)?d|pwd"
            r"|(?:api|access|account|auth|storage|subscription|private|master|signing|encryption)_?key"
            r"|(?:access|auth|api|refresh|session|private|security|bearer)_?token)"
            r"\\?[\"']?(?:\s*[:=]\s*|\s+)\\?[\"']?(?P<secret>[A-Z0-9+/_=~.!-]{12,})",
            lambda found: any(map(_is_made_up, re.split(r"[-_./~!]", found["secret"]))),
        ),
        after("a token", "bearer", r"\bBearer\s+(?P<secret>[A-Z0-9._~+/=-]{20,})", _is_mixed),
        token("a JSON web token", "eyj", r"(?<![\w-])eyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]{8,}"),
        token("a GitHub token", "ghp_ gho_ ghu_ ghs_ ghr_ github_pat_", r"gh[pousr]_\w{30,}|github_pat_\w{40,}"),
        token(
            "a GitLab token",
            "glpat- gldt- glrt- glrtr- glcbt- glptt- glft- glimt- glagent- glsoat- glffct- gloas-",
            r"gl(?:pat|dt|rtr?|cbt|ptt|ft|imt|agent|soat|ffct|oas)-[\w-]{16,}",
            lambda found: found[0].startswith("glpat-") or _has_digit(found[0]),
        ),
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
        token("a Databricks token", "dapi dose dkea", r"(?:dapi|dose|dkea)[0-9a-f]{32}(?:-\d)?"),
        token("a Docker token", "dckr_pat_ dckr_oat_", r"dckr_[po]at_[\w-]{20,}"),
        token("a DigitalOcean token", "_v1_", r"do[opr]_v1_[0-9a-f]{64}"),
        token("a Vault token", "hvs. hvb.", r"hv[sb]\.[\w-]{24,}"),
        token("a Terraform token", ".atlasv1.", r"[A-Za-z0-9]{10,}\.atlasv1\.[\w-]{40,}"),
        token(
            "a token of a service",
            "xai- pplx- ntn_ figd_ pcsk_",
            r"(?:xai|pplx|ntn|figd|pcsk)[-_]\w{36,}",
            _has_made_up_part,
        ),
        token(
            "a token of a service",
            "nvapi- wandb_v1_ lsv2_ lin_api_ shp pmak- nrak- tskey- sbp_ sntry rubygems_ pscale_ at dp.",
            r"(?:nvapi|tskey-(?:auth|api|client)|PMAK|NRAK)-[\w-]{24,}"
            r"|(?:wandb_v1|lsv2_[a-z]{2}|lin_api|shp(?:at|ca|pa|ss)|sbp|sntry[su]|rubygems|pscale_(?:pw|tkn))_[\w=+/.-]{30,}"
            r"|AT[AC]TT3[\w=-]{60,}|dp\.(?:pt|st|ct|scim|audit)\.\w{40,}",
            lambda found: _has_digit(found[0][10:]),
        ),
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
    """Distinguish a token from the name of a user or an organization, which has its digits at the end of a word."""
    runs = re.split(r"[._~-]", found["secret"])
    return any(
        _has_digit(run) and (len(run) >= 20 or (len(run) >= 16 and re.search(r"\d[A-Za-z]", run))) for run in runs
    )


def _is_login(found: re.Match[str]) -> bool:
    """Return whether a text in base64 is a name and a password with a colon between them."""
    try:
        return b":" in base64.b64decode(found["secret"], validate=True)
    except (binascii.Error, ValueError):
        return False


def _has_made_up_part(found: re.Match[str]) -> bool:
    """Distinguish a generated token from words with dashes between them."""
    return any(_is_made_up(part) for part in re.split(r"[-_]", found["secret"]))


def _is_made_up(text: str) -> bool:
    if len(text) < 16 or not _has_digit(text):
        return False
    if text in (text.lower(), text.upper()):
        return bool(re.fullmatch(r"[0-9a-f]{32}|[0-9a-f]{64}", text))
    # `RandomForestClassifier2024v1` is words for the most part.
    return 2 * len(re.sub(r"[A-Z][a-z]{3,}", "", text)) >= len(text)


def _is_made_of_bytes(found: re.Match[str]) -> bool:
    """Distinguish a random key from a text in base64 and from a SHA-512."""
    if re.search(r"sha-?512[-:= \"']*$", found.string[max(0, found.start() - 12) : found.start()], re.IGNORECASE):
        return False
    try:
        decoded = base64.b64decode(found[0], validate=True)
    except (binascii.Error, ValueError):
        return False
    return not (decoded.isascii() and all(byte >= 0x20 or byte in b"\t\r\n" for byte in decoded))
