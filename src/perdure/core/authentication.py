"""Who asks, and whether they may. A key is looked up at most once a second, so a revoked one is noticed by then.

No key was ever made: everything may be asked, and the server listens on loopback alone (``app`` sees to that).
"""

from __future__ import annotations

import hmac
import time
from collections import OrderedDict
from dataclasses import dataclass
from datetime import timedelta

from perdure.core.key_format import PresentedKey, read_key
from perdure.core.one_for_all import OneForAll
from perdure.db.session import Database
from perdure.errors import Forbidden, Unauthenticated, Unavailable
from perdure.models.api_key import ApiKey, Scope
from perdure.repositories.api_key_repository import ApiKeyRepository

FRESH_SECONDS = 0.8
"""How long what was read of a key is trusted: with the time a look takes, under the promised second."""
MAX_REMEMBERED = 1_000
USE_NOTED_EVERY = timedelta(minutes=1)

_NO_HASH = bytes(32)


@dataclass(frozen=True, slots=True)
class _Known:
    key: ApiKey | None
    until: float


class Authentication:
    """Judges the keys that requests bring."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._known: OrderedDict[str, _Known] = OrderedDict()
        self._asks_for_keys = False
        self._asked_until = 0.0
        self._asking = OneForAll[None]()
        self._reading = OneForAll[_Known]()

    async def asks_for_keys(self) -> bool:
        """Whether a key was ever made. Once so, it stays so."""
        if not self._asks_for_keys and time.monotonic() >= self._asked_until:
            await self._asking.answer(None, self._ask)
        return self._asks_for_keys

    async def _ask(self) -> None:
        now = time.monotonic()
        async with self._database.snapshot() as connection:
            self._asks_for_keys = await ApiKeyRepository(connection).any_was_made()
        self._asked_until = now + FRESH_SECONDS

    async def authorize(self, token: str | None, scope: Scope) -> ApiKey | None:
        """The key of ``token``, which may ask for ``scope``; None where no keys are asked for.

        Raises ``Unauthenticated`` for a key that is missing or is none that lives, ``Forbidden`` for one that may not.
        """
        if not await self.asks_for_keys():
            return None
        if token is None:
            raise Unauthenticated("Send an API key: `Authorization: Bearer pdr_…` (the commands take PERDURE_API_KEY).")
        presented = read_key(token)
        key = None if presented is None else await self._looked_up(presented)
        if key is None:
            raise Unauthenticated(
                "This API key is not known here, or it was revoked or has expired. Make one with `perdure keys create`."
            )
        if not key.allows(scope):
            raise Forbidden(f"This API key lacks the scope `{scope}`. Use one that has it, or `admin`.")
        return key

    def authorized_at_once(self, token: str | None, scope: Scope) -> ApiKey | None:
        """``authorize``, for somebody who cannot wait. Raises ``Unavailable`` where it takes a look, or may not be."""
        if not self._asks_for_keys and time.monotonic() < self._asked_until:
            return None
        presented = None if token is None else read_key(token)
        known = None if presented is None else self._known.get(presented.key_id)
        if presented is not None and known is not None and time.monotonic() < known.until:
            key = self._matching(known, presented)
            if key is not None and key.allows(scope):
                return key
        raise Unavailable("More is to be known of this API key.")

    def remembered(self, token: str | None, scope: Scope) -> ApiKey | None:
        """Like ``authorize``, by what was last read of keys: for what must answer while the database is away.

        Raises ``Unavailable`` where that does not allow it.
        """
        if not self._asks_for_keys and self._asked_until > 0.0:
            return None
        presented = None if token is None else read_key(token)
        known = None if presented is None else self._known.get(presented.key_id)
        key = None if presented is None or known is None else self._matching(known, presented)
        if key is None or not key.allows(scope):
            raise Unavailable("The database cannot be reached just now, and nothing is known here of this API key.")
        return key

    async def _looked_up(self, presented: PresentedKey) -> ApiKey | None:
        known = self._known.get(presented.key_id)
        if known is None or time.monotonic() >= known.until:
            known = await self._reading.answer(presented, lambda: self._read(presented))
        return self._matching(known, presented)

    def _matching(self, known: _Known, presented: PresentedKey) -> ApiKey | None:
        """The living key that was presented. A key that is unknown is compared too, so that both take as long."""
        stored = _NO_HASH if known.key is None else known.key.secret_hash
        if not hmac.compare_digest(stored, presented.secret_hash) or known.key is None:
            return None
        return known.key if known.key.is_live(self._database.clock.now()) else None

    async def _read(self, presented: PresentedKey) -> _Known:
        started = time.monotonic()
        async with self._database.transaction() as connection:
            keys = ApiKeyRepository(connection)
            key = await keys.get(presented.key_id)
            if key is not None and self._is_worth_noting(key, presented):
                await keys.note_use(key.key_id, self._database.clock.now())
        known = _Known(key, started + FRESH_SECONDS)
        self._known[presented.key_id] = known
        self._known.move_to_end(presented.key_id)
        if len(self._known) > MAX_REMEMBERED:
            self._known.popitem(last=False)
        return known

    def _is_worth_noting(self, key: ApiKey, presented: PresentedKey) -> bool:
        now = self._database.clock.now()
        if not key.is_live(now) or not hmac.compare_digest(key.secret_hash, presented.secret_hash):
            return False
        return key.last_used_at is None or now - key.last_used_at >= USE_NOTED_EVERY
