"""What identifies a request: a hash of its canonical JSON. Secrets are refused here."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from kshot.errors import DataError

DIGITS = 32
# these change how a reply travels, or whom a provider counts it for, but not what is asked
VOLATILE = frozenset(
    {"stream", "stream_options", "timeout", "user", "safety_identifier", "metadata", "store"}
)
SECRET = re.compile(
    r"(x[-_])?(api|access|secret|private)[-_]?(key|token)|authori[sz]ation|(proxy|x)[-_]authorization"
    r"|bearer([-_]token)?|auth[-_]?token|password|(set[-_])?cookie",
    re.IGNORECASE,
)
HEADERS = re.compile(r"(extra|default|request)?[-_]?headers", re.IGNORECASE)
# for words that come from outside: an upstream's error may repeat the key it was given
SHOWN_SECRET = re.compile(r"(?i)\bbearer\s+[^\s\"',;]{8,}|\b(?:sk|pk|rk|hf|gsk|xai)[-_][A-Za-z0-9_*.-]{6,}")
EXACT = 2**53


def request_key(request: Mapping[str, Any]) -> str:
    """32 hexadecimal digits by which a request is known: equal requests, equal keys.

    The order of fields, tuples for lists and 1.0 for 1 make no difference; nor do fields that do not
    change what is asked (``stream``, ``timeout``, ``user`` ...).

    Raises:
        DataError: A value that is no JSON, or a field that holds a secret.

    >>> request_key({"model": "m", "temperature": 0.0}) == request_key({"temperature": 0, "model": "m"})
    True
    """
    text = canonical(request)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:DIGITS]


def canonical(request: Mapping[str, Any]) -> str:
    """The JSON that is hashed and stored: sorted fields, no blanks, no volatile fields.

    Raises:
        DataError: A value that is no JSON, or a field that holds a secret.

    >>> canonical({"seed": 1.0, "model": "m", "stream": True})
    '{"model":"m","seed":1}'
    """
    plain = {name: value for name, value in request.items() if name not in VOLATILE}
    return json.dumps(
        _plain(plain, "request"), ensure_ascii=False, separators=(",", ":"), sort_keys=True, allow_nan=False
    )


def key_bytes(key: str) -> bytes:
    """The key as it is stored.

    Raises:
        DataError: It is no key.
    """
    try:
        found = bytes.fromhex(key) if len(key) >= DIGITS and key.isalnum() else b""
    except (TypeError, ValueError):
        found = b""
    if not found:
        raise DataError(f"{key!r} is no key of a request; expected {DIGITS} or more hexadecimal digits")
    return found


def without_secrets(text: str) -> str:
    """Text with what looks like a key cut out.

    >>> without_secrets("401: Incorrect API key provided: sk-abcdef123456.")
    '401: Incorrect API key provided: [secret]'
    """
    return SHOWN_SECRET.sub("[secret]", text)


def check_address(endpoint: str) -> None:
    """Refuses an address that holds a user name, a password or a query, which may be a key.

    Raises:
        DataError: It does, or it is no address.
    """
    try:
        parts = urlsplit(endpoint) if "://" in endpoint else None
    except ValueError as error:
        raise DataError(f"{endpoint!r} is no address ({error})") from error
    if parts is not None and (parts.username or parts.password or parts.query):
        raise DataError(
            f"the address of {parts.hostname} holds a user name, a password or a query; "
            "nothing of the kind is stored: give the plain base URL"
        )


def _plain(value: Any, where: str) -> Any:
    """JSON values only, whole floats as integers.

    Raises:
        DataError: As ``canonical`` says; a secret is named by its field, never shown.
    """
    if value is None or isinstance(value, str | bool):
        return value
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        return _number(value, where)
    if isinstance(value, Mapping):
        return {_name(name, item, where): _plain(item, f"{where}.{name}") for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item, where) for item in value]
    raise DataError(
        f"{where}: {type(value).__name__} is no JSON value; expected text, numbers, lists, objects"
    )


def _number(value: float, where: str) -> float | int:
    if value != value or value in (float("inf"), float("-inf")):
        raise DataError(f"{where}: {value} is no JSON number")
    return int(value) if value.is_integer() and abs(value) < EXACT else float(value)


def _name(name: Any, value: Any, where: str) -> str:
    """The field's name; a tool's parameter may be called ``api_key``, but a text under that name is a key."""
    if not isinstance(name, str):
        raise DataError(f"{where}: field {name!r} is {type(name).__name__}; names of fields are text")
    secret = SECRET.fullmatch(name) and isinstance(value, str | bytes) and value
    if secret or (where == "request" and HEADERS.fullmatch(name)):
        raise DataError(
            f"{where}: field {name!r} may hold a secret, and requests are stored; "
            "keys travel in the header of the HTTP request alone, take it out"
        )
    return name
