"""What fails in Azure or in its SDK, as our errors: one sentence, what to do, no secret."""

from __future__ import annotations

import contextlib
import itertools
import json
import re
from collections.abc import Iterable, Iterator
from typing import Any

from azml_tasks.azure.answers import is_page, named_page
from azml_tasks.errors import AzmlError, LoginError, ServiceError

# Whose errors are somebody else's refusals rather than bugs of ours.
_FOREIGN = ("azureml.", "azure.", "msrest", "requests.", "urllib3.", "msal.", "adal.")
_STATUS = re.compile(r"(?:\bCode|Response Code|status[_ ]code|StatusCode)\W{1,3}(\d{3})\b")
_DOORS = r"\b(sig=|AccountKey=|SharedAccessSignature=|Bearer |client_secret=|password['\"]?[:=]\s*['\"]?)"
_NEVER_SHOWN = re.compile(rf"(?P<key>{_DOORS})[^\s&;,'\"]+", re.IGNORECASE)
_LOGIN = ("AuthenticationException", "AuthenticationError", "ClientAuthenticationError", "CredentialUnavailableError")
_LONGEST = 400
_MOST_BRACES = 50

# What to do, by the status of the refusal; the first sentence that fits.
_ADVICE = {
    401: "log in again, with `az login` or new credentials",
    403: "ask the workspace's owner for the role 'AzureML Data Scientist' or 'Contributor'",
    409: "something else is changing it: try again when that is done",
    412: "something else has changed it meanwhile: try again",
    413: "it is too large for the service",
}
_LATER = "try again later; https://azure.status.microsoft shows what is out of order"


class MissingError(ServiceError):
    """What was asked for is not in Azure; the text says what is there instead."""


@contextlib.contextmanager
def translated(doing: str, secrets: Iterable[str] = ()) -> Iterator[None]:
    """Turn what Azure or its SDK raises into ServiceError or LoginError; `doing` starts the sentence.

    `doing` is what could not be done, such as `registering the datastore 'raw'`. Nothing of `secrets`, no key, token
    or signature stays in the text. A bug, theirs or ours, keeps its traceback.
    """
    try:
        yield
    except AzmlError:
        raise
    except Exception as error:  # what is no refusal is raised again as it is
        if not is_foreign(error):
            raise
        raise as_ours(error, doing, secrets) from error


def as_ours(error: BaseException, doing: str, secrets: Iterable[str] = ()) -> AzmlError:
    """Return our error for a foreign one."""
    ours = _ours_within(error)
    if ours is not None:
        return ours
    status = status_of(error)
    name = type(error).__name__
    said = hidden(said_by(_text_of(error)), secrets)
    text = f"{doing} failed: {said or name}{_end(said)}{_advice(status)}"
    return LoginError(text) if status == 401 or name in _LOGIN else ServiceError(text)


def is_foreign(error: BaseException) -> bool:
    """Say whether an error is Azure's or its SDK's, rather than a bug."""
    if any(kind.__module__.startswith(_FOREIGN) for kind in type(error).__mro__):
        return True
    # The SDK raises plain ones too: its client for environments does, and what reads a dataset's definition.
    plain = type(error) in (Exception, RuntimeError) and status_of(error) is not None
    return plain or _ours_within(error) is not None


def status_of(error: BaseException) -> int | None:
    """Return the HTTP status behind an error, if it tells one."""
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
    """Say whether an error means that what was asked for is not there."""
    if status_of(error) == 404:  # asked first: the run history's own 404 breaks when it is made a text
        return True
    text = str(error).lower()
    return any(said in text for said in ("not found", "cannot find", "could not find"))


def said_by(answer: bytes | str) -> str:
    """Return what a service says in an error's JSON, the title of a page, or the first line of another text."""
    text = answer.decode("utf-8", "replace") if isinstance(answer, bytes) else answer
    if is_page(text.encode()):
        return named_page(text.encode())
    for brace in itertools.islice(re.finditer(r"\{", text), _MOST_BRACES):
        message = _message_in(text[brace.start() :])
        if message:
            return _one_line(message)
    return _one_line(text)


def hidden(text: str, secrets: Iterable[str] = ()) -> str:
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
