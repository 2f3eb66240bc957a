"""Who may call, from where, and what browsers may do with the pages."""

from __future__ import annotations

import base64
import binascii
import functools
import hmac
import ipaddress

from esgml.core.errors import NotAllowedError
from esgml.core.settings import Settings

#: Sent with every answer. Pages hold no inline script or style, so nothing is relaxed.
HEADERS: tuple[tuple[bytes, bytes], ...] = (
    (
        b"content-security-policy",
        b"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:;"
        b" connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    ),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), geolocation=(), microphone=()"),
)


@functools.lru_cache(maxsize=256)
def _is_local_name(host: str) -> bool:
    """Whether a Host header holds an address or a name without a dot."""
    name = host if host.endswith("]") else host.rpartition(":")[0] or host
    name = name.strip("[]").lower().rstrip(".")
    if "." not in name or name.endswith(".localhost"):
        return True
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def is_loopback(host: str) -> bool:
    """Whether an address or name can only be reached from this machine."""
    name = host.strip("[]").lower()
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(name.split("%")[0]).is_loopback
    except ValueError:
        return False


def check_bind(settings: Settings) -> None:
    """Refuse to serve to other machines without a token.

    Raises
    ------
    NotAllowedError
        If the address is not loopback and no token is set, or the token is too short to
        stand up to guessing.
    """
    token = settings.api_token.get_secret_value() if settings.api_token else ""
    if settings.api_token is not None and len(token) < 16:
        raise NotAllowedError(
            "the API token is too short.",
            code="token_weak",
            where="ESGML_API_TOKEN",
            remedy="Use at least 16 random characters.",
        )
    if not token and not is_loopback(settings.host):
        raise NotAllowedError(
            f"serving on {settings.host!r} would let other machines in without a token.",
            code="bind_refused",
            where="--host",
            remedy="Set ESGML_API_TOKEN, or serve on 127.0.0.1.",
        )


class Guard:
    """Check the token and the host a request was sent to.

    Parameters
    ----------
    token : str
        Empty = callers on this machine need none.
    """

    def __init__(self, token: str = "") -> None:
        self._token = token.encode()

    @property
    def open(self) -> bool:
        """Whether no token is needed."""
        return not self._token

    def allows_host(self, host: str) -> bool:
        """Whether the Host header can belong to a caller meaning this service.

        Without a token, a page on the web could reach the loopback address under its own
        domain name (DNS rebinding); so only addresses and names without a dot pass.
        """
        return not self.open or not host or _is_local_name(host)

    def allows(self, authorization: str, *, browser: bool = False) -> bool:
        """Whether an Authorization header carries the token.

        Bearer everywhere; Basic (any user, the token as password) where `browser`: a
        person opening a page has no other way to send it.
        """
        if self.open:
            return True
        scheme, _, credential = authorization.partition(" ")
        given = credential.strip()
        if scheme.lower() == "basic" and browser:
            try:
                given = base64.b64decode(given, validate=True).decode("utf-8").partition(":")[2]
            except (binascii.Error, UnicodeDecodeError):
                return False
        elif scheme.lower() != "bearer":
            return False
        return hmac.compare_digest(given.encode("utf-8", "surrogateescape"), self._token)
