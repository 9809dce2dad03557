"""2xx answers that are not the service's, as a proxy, a gateway or a network's login page gives them."""

from __future__ import annotations

from typing import Any

PAGE = b"<!DOCTYPE html><html><head><title>Hotel Wi-Fi</title></head><body>Log in</body></html>"
# Those that took effect were the service's until something replaced them.
FOREIGN: dict[str, dict[str, Any]] = {
    "an empty body": {"status": 200, "body": b""},
    "null": {"status": 200, "body": b"null"},
    "[]": {"status": 200, "body": b"[]"},
    "{}": {"status": 200, "body": b"{}"},
    "a page": {"status": 200, "body": PAGE, "kind": "text/html; charset=utf-8"},
    "a page sent as JSON": {"status": 200, "body": PAGE},
    "a text": {"status": 200, "body": b"upstream connect error", "kind": "text/plain"},
    "an empty body after it took effect": {"status": 200, "body": b"", "before_effect": False},
    "a page after it took effect": {"status": 200, "body": PAGE, "kind": "text/html", "before_effect": False},
    "half of the answer": {"is_cut": True, "before_effect": False},
}
