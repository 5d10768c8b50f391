"""Where an OpenAI-compatible server is, and the key that it wants: for endpoints and for the proxy."""

from __future__ import annotations

import os
from ipaddress import ip_address
from urllib.parse import urlsplit

from kshot.errors import InputError


def checked_address(base_url: str, *, what: str = "base URL") -> str:
    """The base URL without a slash at its end.

    Args:
        base_url: As the OpenAI clients take it, up to ``/v1``.
        what: What the user knows it by.

    Raises:
        InputError: It is no http(s) URL, or holds a user name, a password, a query or a fragment. The
            message does not repeat it.

    >>> checked_address("http://127.0.0.1:8000/v1/")
    'http://127.0.0.1:8000/v1'
    """
    try:
        parts = urlsplit(base_url)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable:
        raise InputError(f"{what}: found no address, expected one such as http://127.0.0.1:8000/v1")
    if parts.username is not None or parts.password is not None or parts.query or parts.fragment:
        raise InputError(
            f"{what} of {parts.hostname}: it holds a user, password, query or fragment; give the plain URL, "
            "and the key by the name of an environment variable"
        )
    return base_url.rstrip("/")


def is_loopback(host: str) -> bool:
    """Whether this names the machine itself.

    >>> is_loopback("localhost"), is_loopback("127.8.0.1"), is_loopback("[::1]"), is_loopback("example.org")
    (True, True, True, False)
    """
    name = host.strip("[]").lower()
    if name == "localhost":
        return True
    try:
        return ip_address(name).is_loopback
    except ValueError:
        return False


def is_own(base_url: str) -> bool:
    """Whether the address is this machine's own, which no proxy serves.

    Names below ``localhost`` are such too (RFC 6761, section 6.3).

    >>> is_own("http://llm.localhost:1/v1"), is_own("https://api.example.org/v1")
    (True, False)
    """
    host = urlsplit(base_url).hostname or ""
    return is_loopback(host) or host.endswith(".localhost")


def key_from(api_key_env: str | None) -> str | None:
    """The key, read from the environment; None where no variable is named.

    Raises:
        InputError: The variable is unset, empty, or its value cannot stand in a header.

    Example::

        key = key_from("OPENAI_API_KEY")
    """
    if api_key_env is None:
        return None
    key = os.environ.get(api_key_env, "").strip()
    if not key:
        raise InputError(
            f"environment variable {api_key_env} is not set; it should hold the endpoint's API key: "
            f"export {api_key_env}=..."
        )
    if not (key.isascii() and key.isprintable()):  # the key itself is not told
        raise InputError(f"environment variable {api_key_env} holds a character that no API key has")
    return key
