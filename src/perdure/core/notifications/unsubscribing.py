"""The link by which a recipient says "no more of these", and the headers that offer it (RFC 2369, RFC 8058).

It names the delivery and no address, so that none is left in the logs of whoever stands between. Signed, it can be
neither guessed nor made; it works as long as the delivery is kept (``PERDURE_AUDIT_RETENTION_DAYS``).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from uuid import UUID

from perdure.errors import ConfigurationError

PATH = "/v1/unsubscribe/"
"""Where the link leads, below the public address; the token follows."""
MIN_SECRET_LENGTH = 16
_ID_BYTES = 16
_SIGNATURE_BYTES = 16


class UnsubscribeLinks:
    """Makes links and reads them. ``secret`` (PERDURE_SECRET) must be the same wherever mails are sent or served."""

    def __init__(self, public_url: str, secret: str) -> None:
        if len(secret) < MIN_SECRET_LENGTH:
            raise ConfigurationError(
                f"PERDURE_SECRET has less than {MIN_SECRET_LENGTH} characters and could be guessed. "
                "Make one with `openssl rand -hex 32`."
            )
        self._base = public_url.rstrip("/") + PATH
        self._key = hmac.digest(secret.encode(), b"perdure unsubscribe", hashlib.sha256)

    def url(self, delivery_id: UUID) -> str:
        signed = delivery_id.bytes + self._signature(delivery_id.bytes)
        return self._base + base64.urlsafe_b64encode(signed).decode().rstrip("=")

    def delivery_of(self, token: str) -> UUID | None:
        """The delivery that ``token`` was made for; None where we did not make it."""
        try:
            signed = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
        except (ValueError, binascii.Error):
            return None
        given, signature = signed[:_ID_BYTES], signed[_ID_BYTES:]
        return UUID(bytes=given) if hmac.compare_digest(signature, self._signature(given)) else None

    def _signature(self, given: bytes) -> bytes:
        return hmac.digest(self._key, given, hashlib.sha256)[:_SIGNATURE_BYTES]


def list_unsubscribe(url: str | None) -> dict[str, str]:
    """The headers of a mail that offer the link; one click of a mail program's own button is enough over https."""
    if url is None:
        return {}
    one_click = {"List-Unsubscribe-Post": "List-Unsubscribe=One-Click"} if url.startswith("https://") else {}
    return {"List-Unsubscribe": f"<{url}>", **one_click}
