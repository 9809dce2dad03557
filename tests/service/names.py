"""The workspace that the stand-in has after `reset`, and the login that it takes."""

from __future__ import annotations

SUBSCRIPTION = "6f0cdd21-1111-4222-8333-944445555666"
GROUP = "churn-rg"
WORKSPACE = "churn-ws"

TENANT = "72f988bf-0000-4000-8000-2d7cd011db47"
CLIENT = "11111111-2222-4333-8444-555555555555"
PASSWORD = "the-stand-in's-password"
