"""A login by a person at a browser, remembered from one command to the next."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from azure.core.credentials import AccessToken
    from azure.identity import AuthenticationRecord

_CACHE = "azml-tasks"


class InteractiveLogin:
    """Ask in a browser, or with a code to type into one where none can be opened.

    The tokens are kept in the system's own encrypted store, where it has one; which account they belong to, nothing
    secret, in `~/.azml-tasks`.
    """

    def __init__(self, tenant: str | None, folder: Path | None = None) -> None:
        self._tenant = tenant
        self._record_file = (folder or Path.home() / ".azml-tasks") / f"login-{tenant or 'default'}.json"
        self._credential: Any = None

    def get_token(self, *scopes: str, claims: str | None = None, **_: Any) -> AccessToken:
        """Return a token, asking the user only when the kept login does not do; `claims` is what it has to fulfil.

        Raises azure.core.exceptions.ClientAuthenticationError.
        """
        from azure.identity import CredentialUnavailableError, DeviceCodeCredential, InteractiveBrowserCredential

        if self._credential is None:
            try:
                self._credential = self._logged_in(InteractiveBrowserCredential, scopes)
            except CredentialUnavailableError:  # no browser can be opened here
                self._credential = self._logged_in(DeviceCodeCredential, scopes)
        token: AccessToken = self._credential.get_token(*scopes, claims=claims)
        return token

    def _logged_in(self, kind: Any, scopes: tuple[str, ...]) -> Any:
        from azure.core.exceptions import ClientAuthenticationError

        options: dict[str, Any] = {"tenant_id": self._tenant} if self._tenant else {}
        try:
            return self._with_store(kind, scopes, options)
        except ClientAuthenticationError as error:
            if not _says_there_is_no_store(error.__cause__):
                raise
        return kind(**options)

    def _with_store(self, kind: Any, scopes: tuple[str, ...], options: dict[str, Any]) -> Any:
        from azure.identity import TokenCachePersistenceOptions

        record = self._record()
        store = TokenCachePersistenceOptions(name=_CACHE)
        credential = kind(authentication_record=record, cache_persistence_options=store, **options)
        if record is None:
            self._remember(credential.authenticate(scopes=scopes))
        else:
            credential.get_token(*scopes)
        return credential

    def _record(self) -> AuthenticationRecord | None:
        from azure.identity import AuthenticationRecord

        try:
            return AuthenticationRecord.deserialize(self._record_file.read_text(encoding="utf-8"))
        except (OSError, ValueError, KeyError):  # never written, or not by us
            return None

    def _remember(self, record: AuthenticationRecord) -> None:
        self._record_file.parent.mkdir(parents=True, exist_ok=True)
        self._record_file.write_text(record.serialize(), encoding="utf-8")


def _says_there_is_no_store(cause: BaseException | None) -> bool:
    # What azure-identity raises where the system keeps no secrets for us (_persistent_cache.py).
    return isinstance(cause, NotImplementedError) or (isinstance(cause, ValueError) and "encryption" in str(cause))
