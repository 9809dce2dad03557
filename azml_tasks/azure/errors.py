"""Translate errors of Azure and its SDK into ours: one sentence with a suggestion, without secrets."""

from __future__ import annotations

import contextlib
import itertools
import json
import re
from collections.abc import Iterable, Iterator
from typing import Any
from urllib.parse import urlsplit

from azml_tasks.errors import AzmlError, LoginError, ServiceError

# Packages whose errors are not bugs of ours.
_FOREIGN = ("azureml.", "azure.", "msrest", "requests.", "urllib3.", "msal.", "adal.", "marshmallow.")
_STATUS = re.compile(r"(?:\bCode|Response Code|status[_ ]code|StatusCode)\W{1,3}(\d{3})\b")
_DOORS = r"\b(sig=|AccountKey=|SharedAccessSignature=|Bearer |client_secret=|password['\"]?[:=]\s*['\"]?)"
_NEVER_SHOWN = re.compile(rf"(?P<key>{_DOORS})[^\s&;,'\"]+", re.IGNORECASE)
_LOGIN = ("AuthenticationException", "AuthenticationError", "ClientAuthenticationError", "CredentialUnavailableError")
_LONGEST = 400
_MOST_BRACES = 50

_COLORS = re.compile(r"\x1b\[[0-9;]*m")
# The reasons in the page that azure-ai-ml makes of a refusal (_exception_helper.py), between advice of all kinds.
_REASONS = re.compile(r"^\(x\) (.*?)(?=\n\s*\n|\n\(x\)|\Z)", re.MULTILINE | re.DOTALL)

# Suggestions by HTTP status.
_ADVICE = {
    401: "log in again, with `az login` or new credentials",
    403: "ask the workspace's owner for the role 'AzureML Data Scientist' or 'Contributor'",
    409: "another operation is changing it; try again later",
    412: "another operation changed it in the meantime; try again",
    413: "the request is too large for Azure",
}
_LATER = "try again later; https://azure.status.microsoft shows known outages"


class MissingError(ServiceError):
    """Something does not exist in Azure; the text lists what exists."""


@contextlib.contextmanager
def translating_errors(doing: str, secrets: Iterable[str] = ()) -> Iterator[None]:
    """Turn errors of Azure or its SDK into ServiceError or LoginError; `doing` starts the message.

    `doing` describes the action, such as `registering the datastore 'raw'`. `secrets`, keys, tokens and signatures are
    removed from the text. Bugs keep their traceback.
    """
    try:
        yield
    except AzmlError:
        raise
    except Exception as error:  # other errors are raised again unchanged
        if not is_foreign(error):
            raise
        raise to_azml_error(error, doing, secrets) from error


def to_azml_error(error: BaseException, doing: str, secrets: Iterable[str] = ()) -> AzmlError:
    """Return our error for a foreign one."""
    ours = _ours_within(error)
    if ours is not None:
        return ours
    status = status_of(error)
    name = type(error).__name__
    said = redacted(unconnected(error) or service_message(_text_of(error)), secrets)
    text = f"{doing} failed: {said or name}{_end(said)}{_advice(status)}"
    return LoginError(text) if status == 401 or name in _LOGIN else ServiceError(text, status)


def is_foreign(error: BaseException) -> bool:
    """Return whether an error is Azure's or its SDK's, rather than a bug."""
    if any(kind.__module__.startswith(_FOREIGN) for kind in type(error).__mro__):
        return True
    # The SDK also raises plain exceptions: in its client for environments, and when reading a dataset's definition.
    plain = type(error) in (Exception, RuntimeError) and status_of(error) is not None
    return plain or _ours_within(error) is not None


def status_of(error: BaseException) -> int | None:
    """Return the HTTP status of an error, if it has one."""
    for current in _chain(error):
        for holder in (getattr(current, "response", None), current):
            status = getattr(holder, "status_code", None)
            if isinstance(status, int):
                return status
        found = _STATUS.search(str(current))
        if found:
            return int(found[1])
    return None


def is_missing(error: BaseException) -> bool:
    """Return whether an error means that something does not exist."""
    if status_of(error) == 404:  # checked first: the run history's own 404 breaks when it is converted to text
        return True
    text = str(error).lower()
    return any(said in text for said in ("not found", "cannot find", "could not find"))


# How Python's network libraries describe a failed connection, and what is said of the host instead.
_RAW = re.compile(
    r"HTTPS?Connection(Pool)?\b|\burllib3\b|\[SSL\b|\[Errno -?\d+\]|Unable to connect to proxy|Connection aborted"
)
_CONNECTION = "check the network connection"
_UNCONNECTED = (
    (
        r"certificate verify failed: ([^\"'()]+)",
        "the certificate of {host} is not trusted ({found}); if a proxy replaces certificates, set REQUESTS_CA_BUNDLE "
        "to a file with its certificate",
    ),
    (
        r"Failed to resolve|getaddrinfo failed|Name or service not known|nodename nor servname|in name resolution",
        f"the name {{host}} cannot be resolved; {_CONNECTION}",
    ),
    (r"Tunnel connection failed: ([^\"'()]+)", "the proxy refuses connections to {host} ({found})"),
    (r"Unable to connect to proxy|Cannot connect to proxy", "the proxy {host} cannot be reached; check HTTPS_PROXY"),
    (r"timed out", f"{{host}} did not respond in time; {_CONNECTION}"),
    (r"\[SSL\b|SSLError", "{host} ended the secure connection; check HTTPS_PROXY, if it is set"),
    (
        r"(Connection refused|Network is unreachable|No route to host)|Failed to establish a new connection",
        f"{{host}} cannot be reached; {_CONNECTION}",
    ),
    (r"Connection (aborted|broken|reset)|RemoteDisconnected|Broken pipe", "{host} closed the connection"),
)
_HOST = re.compile(r"Failed to resolve '([^']+)'|\bhost='([^']+)'")


def unconnected(error: BaseException) -> str:
    """Return why there is no answer, such as that a name cannot be resolved; empty if that is not what failed."""
    chain = list(_chain(error))
    raw = next((text for text in map(str, chain) if _RAW.search(text)), "")
    if not raw or status_of(error) is not None:
        return ""
    for pattern, text in _UNCONNECTED:
        if match := re.search(pattern, raw):
            # In a chain of causes in one text, the last is the first.
            named = [name for pair in _HOST.findall(raw) for name in pair if name]
            asked = (urlsplit(getattr(getattr(link, "request", None), "url", None) or "").hostname for link in chain)
            host = (named[-1:] or [*filter(None, asked)])[:1]
            found = (match[1] or "").strip() if match.re.groups else ""
            return text.format(host=f"'{host[0]}'" if host else "Azure", found=found)
    return ""


def service_message(answer: bytes | str) -> str:
    """Return the message in a service's error: from its JSON, the title of a page, or the first line of other text."""
    text = answer.decode("utf-8", "replace") if isinstance(answer, bytes) else answer
    text = _COLORS.sub("", text)
    reasons = _REASONS.findall(text)
    if reasons:
        return _one_line("; ".join(" ".join(reason.split()).replace(": - ", ": ") for reason in reasons))
    if is_page(text.encode()):
        return named_page(text.encode())
    for brace in itertools.islice(re.finditer(r"\{", text), _MOST_BRACES):
        message = _message_in(text[brace.start() :])
        if message:
            return _one_line(message)
    return _one_line(text)


def redacted(text: str, secrets: Iterable[str] = ()) -> str:
    """Return the text without anything that opens a door."""
    for secret in sorted(filter(None, secrets), key=len, reverse=True):
        text = text.replace(secret, "***")
    return _NEVER_SHOWN.sub(r"\g<key>***", text)


def _message_in(text: str) -> str | None:
    try:
        document, _ = json.JSONDecoder().raw_decode(text)
    except ValueError:
        return None
    while isinstance(document, dict):
        inner = next((document[key] for key in ("error", "Error", "error_details") if key in document), None)
        if not isinstance(inner, dict):
            break
        document = inner
    if not isinstance(document, dict):
        return None
    message = document.get("error_description") or document.get("message") or document.get("Message")
    return message if isinstance(message, str) else None


def _text_of(error: BaseException) -> str:
    response = getattr(error, "response", None)
    body: Any = getattr(response, "content", None) or getattr(response, "text", None)
    body = body() if callable(body) else body
    text = body.decode("utf-8", "replace") if isinstance(body, bytes) else body
    if isinstance(text, str) and _message_in(text):
        return text
    if response is not None and type(error).__module__ == "requests.exceptions":
        # Its own text has the whole address, which may be signed.
        return f"{urlsplit(str(response.url)).hostname or 'the host'} answered {response.status_code} {response.reason}"
    message = getattr(error, "message", None)
    return message if isinstance(message, str) and message else str(error)


def _one_line(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _LONGEST else f"{line[: _LONGEST - 3]}..."


def _end(said: str) -> str:
    return "" if said.endswith((".", "!", "?")) else "."


def _advice(status: int | None) -> str:
    if status is None:
        return ""
    advice = _LATER if status == 429 or status >= 500 else _ADVICE.get(status, "")
    return f" {advice[0].upper()}{advice[1:]}." if advice else ""


def _chain(error: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    current: BaseException | None = error
    while current is not None and id(current) not in seen:
        seen.add(id(current))
        yield current
        inner = getattr(current, "inner_exception", None)  # msrest's is the answer's document, no exception
        current = inner if isinstance(inner, BaseException) else current.__cause__


def _ours_within(error: BaseException) -> AzmlError | None:
    """Find an error of ours that the SDK has wrapped in one of its own."""
    return next((link for link in _chain(error) if isinstance(link, AzmlError)), None)


_HTML = re.compile(rb"\s*<(!doctype\s+html|html|head|body)\b", re.IGNORECASE)
_TITLE = re.compile(rb"<title[^>]*>(.*?)</title>", re.IGNORECASE | re.DOTALL)
_LONGEST_EXCERPT = 60


def is_page(body: bytes) -> bool:
    """Return whether a text is an HTML page."""
    return bool(_HTML.match(body))


def named_page(body: bytes) -> str:
    """Name an HTML page by its title."""
    title = _TITLE.search(body)
    text = " ".join(title[1].decode("utf-8", "replace").split()) if title else ""
    return f"an HTML page ('{excerpt(text)}')" if text else "an HTML page"


def excerpt(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _LONGEST_EXCERPT else f"{line[: _LONGEST_EXCERPT - 3]}..."


def named_document(document: Any) -> str:
    """Name a value in JSON that is not what is expected."""
    if document is None:
        return "`null`"
    if document in ([], {}):
        return f"`{document}`"
    nouns = {list: "a list", dict: "an object", str: "a text", bool: "a boolean", int: "a number", float: "a number"}
    return nouns[type(document)]


def not_json(body: bytes, error: Exception) -> str:
    """Name a body that cannot be read as JSON."""
    if isinstance(error, json.JSONDecodeError) and body.lstrip()[:1] in (b"{", b"["):
        return "truncated JSON"
    return f"a response that is not JSON: '{excerpt(body.decode('utf-8', 'replace'))}'"


def from_elsewhere(status: str, what: str) -> str:
    """Describe an answer that Azure did not send; `what` is in it."""
    place = "a proxy, a gateway or a network's login page"
    return f"{status} and {redacted(what)}, possibly from {place} instead of Azure"
