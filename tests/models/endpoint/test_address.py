"""Addresses and keys, as endpoints and the proxy take them."""

import pytest

from kshot.errors import InputError
from kshot.models.endpoint import Endpoint
from kshot.models.endpoint.address import checked_address, is_loopback, is_own, key_from


@pytest.mark.parametrize(
    "address",
    [
        "",
        "localhost:8000",
        "ftp://host/v1",
        "http://",
        "http://[::1/v1",
        "http://host:port/v1",
        "http://h:0/v1",
    ],
)
def test_an_address_that_is_none_is_refused(address: str) -> None:
    with pytest.raises(InputError, match="--upstream: found no address, expected one such as http"):
        checked_address(address, what="--upstream")


@pytest.mark.parametrize(
    "address",
    [
        "https://me:s3cret@host/v1",
        "https://s3cret@host/v1",
        "https:me:s3cret@host/v1",
        "https://host/v1?key=s3cret",
        "https://host/v1#s3cret",
    ],
)
def test_credentials_in_an_address_are_refused_and_not_repeated(address: str) -> None:
    with pytest.raises(InputError, match=r"environment variable|found no address") as caught:
        Endpoint(address, "m")
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize(
    ("address", "own"),
    [
        ("http://127.0.0.1:1/v1", True),
        ("http://127.8.8.8/v1", True),
        ("http://[::1]:1/v1", True),
        ("http://LOCALHOST/v1", True),
        ("http://127.0.0.1.example.org/v1", False),
        ("http://llm.localhost:8000/v1", True),
        ("http://10.0.0.1/v1", False),
    ],
)
def test_which_addresses_are_this_machines_own(address: str, own: bool) -> None:
    assert is_own(address) is own


def test_a_key_comes_from_its_variable_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-of-another-place")
    assert key_from(None) is None
    monkeypatch.setenv("MY_KEY", " sk-mine\n")
    assert key_from("MY_KEY") == "sk-mine"
    monkeypatch.setenv("MY_KEY", "sk-m\u00efne")
    with pytest.raises(InputError, match="MY_KEY holds a character"):
        key_from("MY_KEY")


@pytest.mark.parametrize("host", ["evil.localhost", "localhost.evil.example", "", "127.0.0.1.example.org"])
def test_what_a_web_page_can_be_named_is_not_taken_for_this_machine(host: str) -> None:
    assert not is_loopback(host)
