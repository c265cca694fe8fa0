"""Checks the signatures of requests as the cloud does: over what was received, against real time.

Two algorithms: ``ACS3-HMAC-SHA256`` (VPC, Function Compute, EventBridge, STS; Alibaba Cloud SDK
documentation, "V3 request structure and signature") and the V1 signature of MNS (MNS developer reference,
"Request signatures"). Timestamps and nonces are compared with real time, never with the simulated clock,
because the SDKs sign with it.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import parse_qsl, quote

from localcloud.accounts import AccessKey, Directory

ACS3 = "ACS3-HMAC-SHA256"
TOLERANCE = timedelta(minutes=15)
"""How far a request's timestamp may be from real time, in either direction."""


class SignatureRefused(Exception):  # noqa: N818  # a refusal, not a fault
    """A request whose signature is not accepted: ``code`` and ``status`` are the cloud's own."""

    def __init__(self, code: str, status: int, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.status = status
        self.message = message


@dataclass(frozen=True, kw_only=True)
class Received:
    """A request exactly as it came over the wire.

    ``path`` and ``query`` are still percent-encoded; header names are lower case; a header that was sent
    twice is joined with a comma.
    """

    method: str
    path: str
    query: str
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)

    @classmethod
    def from_scope(cls, scope: Mapping[str, Any], body: bytes) -> Received:
        """From an ASGI HTTP scope and the complete body."""
        headers: dict[str, str] = {}
        for raw_name, raw_value in scope["headers"]:
            name, value = raw_name.decode("latin-1").lower(), raw_value.decode("latin-1")
            headers[name] = f"{headers[name]},{value}" if name in headers else value
        return cls(
            method=scope["method"],
            path=scope["raw_path"].decode("latin-1").partition("?")[0],
            query=scope["query_string"].decode("latin-1"),
            headers=headers,
            body=body,
        )


class Verifier:
    """Finds out who signed a request; one for each service, because nonces are remembered by service.

    ``now`` is real time; it is injected for tests only.
    """

    def __init__(self, directory: Directory, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._directory = directory
        self._now = now
        self._nonces: set[tuple[str, str]] = set()
        self._nonce_ages: deque[tuple[datetime, tuple[str, str]]] = deque()

    def acs3(self, received: Received) -> AccessKey:
        """The key that signed an ``ACS3-HMAC-SHA256`` request. Raises SignatureRefused.

        ``host`` and every ``x-acs-*`` header that is present must be signed; the body's hash is compared with
        ``x-acs-content-sha256``; the nonce may be used once.
        """
        credential, signed_headers, signature = _authorization(received.headers)
        key = self._directory.key(credential)
        if key is None:
            raise SignatureRefused("InvalidAccessKeyId.NotFound", 404, "Specified access key is not found or invalid.")
        _refuse_security_token(received.headers.get("x-acs-security-token"))
        self._check_acs3_time(received.headers.get("x-acs-date", ""))
        canonical = _canonical_request(received, signed_headers)
        calculated = acs3_signature(canonical, key.access_key_secret)
        if not hmac.compare_digest(calculated.encode(), signature.encode("utf-8", "replace")):
            # The canonical request is safe to show, as the cloud does: it holds no secret.
            raise _mismatch(f"Specified signature is not matched with our calculation. {ACS3} {canonical!r}")
        self._use_nonce(key.access_key_id, received.headers.get("x-acs-signature-nonce", ""))
        return key

    def mns(self, received: Received) -> AccessKey:
        """The key that signed an MNS V1 request (``Authorization: MNS <key id>:<signature>``).

        The resource in the string to sign is the path and query as received, not decoded. Raises
        SignatureRefused; the code names are MNS's own, ``InvalidDegist`` included.
        """
        headers = received.headers
        authorization = headers.get("authorization")
        if authorization is None:
            raise SignatureRefused("MissingAuthorizationHeader", 400, "Authorization header is required.")
        scheme, _, rest = authorization.partition(" ")
        access_key_id, colon, signature = rest.strip().rpartition(":")
        if scheme != "MNS" or not colon or not access_key_id or not signature:
            raise SignatureRefused("InvalidAuthorizationHeader", 400, "The Authorization header format is invalid.")
        self._check_mns_time(headers.get("date") or headers.get("x-mns-date"))
        key = self._directory.key(access_key_id)
        if key is None:
            raise SignatureRefused("InvalidAccessKeyId", 403, "The AccessKey Id you provided is not exist.")
        calculated = mns_signature(received, key.access_key_secret)
        if not hmac.compare_digest(calculated.encode(), signature.encode("utf-8", "replace")):
            raise SignatureRefused(
                "SignatureDoesNotMatch",
                403,
                "The request signature we calculated does not match the signature you provided. "
                "Check your key and signing method.",
            )
        if headers.get("security-token"):
            raise SignatureRefused("InvalidSecurityToken", 403, "The security token you provided is invalid.")
        if not _digest_fits(headers.get("content-md5"), received.body):
            raise SignatureRefused("InvalidDegist", 400, "The digest you provided does not match the body.")
        return key

    def _check_acs3_time(self, stamp: str) -> None:
        try:
            signed_at = datetime.strptime(stamp, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
        except ValueError:
            raise SignatureRefused(
                "InvalidTimeStamp.Format", 400, "Specified time stamp or date value is not well formatted."
            ) from None
        if abs(self._now() - signed_at) > TOLERANCE:
            raise SignatureRefused("InvalidTimeStamp.Expired", 400, "Specified time stamp or date value is expired.")

    def _check_mns_time(self, stamp: str | None) -> None:
        if not stamp:
            raise SignatureRefused("MissingDateHeader", 400, "Date header is required.")
        try:
            signed_at = parsedate_to_datetime(stamp)
        except ValueError:
            raise SignatureRefused("InvalidDateHeader", 400, "The Date header format is invalid.") from None
        if signed_at.tzinfo is None:
            signed_at = signed_at.replace(tzinfo=UTC)
        if abs(self._now() - signed_at) > TOLERANCE:
            raise SignatureRefused("TimeExpired", 408, "The http request you sent is expired.")

    def _use_nonce(self, access_key_id: str, nonce: str) -> None:
        if not nonce:
            raise SignatureRefused("MissingSignatureNonce", 400, "SignatureNonce is mandatory for this action.")
        now = self._now()
        # A request is acceptable from 15 minutes before to 15 minutes after its stamp; a nonce outlives both.
        while self._nonce_ages and now - self._nonce_ages[0][0] > 2 * TOLERANCE:
            self._nonces.discard(self._nonce_ages.popleft()[1])
        used = (access_key_id, nonce)
        if used in self._nonces:
            raise SignatureRefused("SignatureNonceUsed", 400, "Specified signature nonce was used already.")
        self._nonces.add(used)
        self._nonce_ages.append((now, used))


def acs3_signature(canonical_request: str, access_key_secret: str) -> str:
    """The signature of a canonical request, in lower-case hex."""
    string_to_sign = f"{ACS3}\n{hashlib.sha256(canonical_request.encode()).hexdigest()}"
    return hmac.new(access_key_secret.encode(), string_to_sign.encode(), hashlib.sha256).hexdigest()


def mns_signature(received: Received, access_key_secret: str) -> str:
    """The MNS V1 signature of a request, in base64."""
    headers = received.headers
    resource = f"{received.path}?{received.query}" if received.query else received.path
    lines = [
        received.method,
        headers.get("content-md5", ""),
        headers.get("content-type", ""),
        headers.get("date") or headers.get("x-mns-date", ""),
        *(f"{name}:{headers[name]}" for name in sorted(headers) if name.startswith("x-mns-")),
        resource,
    ]
    digest = hmac.new(access_key_secret.encode(), "\n".join(lines).encode("latin-1"), hashlib.sha1).digest()
    return base64.b64encode(digest).decode("ascii")


def _authorization(headers: Mapping[str, str]) -> tuple[str, list[str], str]:
    """Key id, signed header names and signature of an Authorization header."""
    authorization = headers.get("authorization")
    if not authorization:
        raise SignatureRefused("MissingAccessKeyId", 400, "AccessKeyId is mandatory for this action.")
    scheme, _, rest = authorization.partition(" ")
    if scheme != ACS3:
        raise SignatureRefused("InvalidSignatureMethod.NotSupported", 400, f"The signature method must be {ACS3}.")
    parts = dict(part.strip().split("=", 1) for part in rest.split(",") if "=" in part)
    try:
        return parts["Credential"], parts["SignedHeaders"].split(";"), parts["Signature"]
    except KeyError:
        raise SignatureRefused(
            "IncompleteSignature",
            400,
            "The Authorization header must hold Credential, SignedHeaders and Signature.",
        ) from None


def _canonical_request(received: Received, signed_headers: list[str]) -> str:
    """The canonical request over the received bytes.

    Raises SignatureRefused when it leaves out what must be signed.
    """
    headers = received.headers
    required = {"host"} | {name for name in headers if name.startswith("x-acs-")}
    unsigned = sorted(required - set(signed_headers))
    if unsigned:
        raise _mismatch(f"These headers must be in SignedHeaders: {', '.join(unsigned)}.")
    body_hash = hashlib.sha256(received.body).hexdigest()
    if headers.get("x-acs-content-sha256") != body_hash:
        raise _mismatch("The header x-acs-content-sha256 does not match the body.")
    # SDKs differ in how they encode the query on the wire ("+" or "%20") and agree in what they sign.
    pairs = sorted(parse_qsl(received.query, keep_blank_values=True))
    query = "&".join(f"{quote(name, safe='~')}={quote(value, safe='~')}" for name, value in pairs)
    lines = "".join(f"{name}:{headers.get(name, '').strip()}\n" for name in signed_headers)
    return "\n".join([received.method, received.path, query, lines, ";".join(signed_headers), body_hash])


def _mismatch(message: str) -> SignatureRefused:
    return SignatureRefused("SignatureDoesNotMatch", 400, message)


def _refuse_security_token(token: str | None) -> None:
    """The local cloud has permanent keys only: a token that comes with one of them cannot belong to it."""
    if token:
        raise SignatureRefused(
            "InvalidSecurityToken.MismatchWithAccessKey",
            400,
            "Specified SecurityToken mismatch with the AccessKey.",
        )


def _digest_fits(sent: str | None, body: bytes) -> bool:
    """Whether a Content-MD5 belongs to a body.

    The MNS SDKs send base64 of the digest's *hex text*; RFC 1864 means its bytes. Both are accepted.
    """
    if not sent:
        return True
    digest = hashlib.md5(body, usedforsecurity=False)
    try:
        return base64.b64decode(sent, validate=True) in {digest.digest(), digest.hexdigest().encode("ascii")}
    except binascii.Error:
        return False
