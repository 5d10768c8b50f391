import pytest

from kshot.errors import InputError
from kshot.models.endpoint import Budget, Endpoint, EndpointOptions, Prices
from kshot.models.endpoint.options import checked_address, is_loopback, key_from


@pytest.mark.parametrize(
    "address",
    ["", "localhost:8000", "ftp://host/v1", "http://", "http://[::1/v1", "http://host:port/v1"],
)
def test_an_address_that_is_none_is_refused(address: str) -> None:
    with pytest.raises(InputError, match="expected one such as http"):
        checked_address(address)


@pytest.mark.parametrize(
    "address",
    [
        "https://me:s3cret@host/v1",
        "https://s3cret@host/v1",
        "https://host/v1?key=s3cret",
        "https://host/v1#s3cret",
    ],
)
def test_credentials_in_an_address_are_refused_and_not_repeated(address: str) -> None:
    with pytest.raises(InputError, match="environment variable") as caught:
        Endpoint(address, "m")
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize(
    ("address", "is_own"),
    [
        ("http://127.0.0.1:1/v1", True),
        ("http://127.8.8.8/v1", True),
        ("http://[::1]:1/v1", True),
        ("http://LOCALHOST/v1", True),
        ("http://127.0.0.1.example.org/v1", False),
        ("http://10.0.0.1/v1", False),
    ],
)
def test_which_addresses_are_this_machines_own(address: str, is_own: bool) -> None:
    assert is_loopback(address) is is_own


def test_a_key_comes_from_its_variable_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-of-another-place")
    assert key_from(None) == "none"
    monkeypatch.setenv("MY_KEY", " sk-mine\n")
    assert key_from("MY_KEY") == "sk-mine"
    monkeypatch.setenv("MY_KEY", "sk-m\u00efne")
    with pytest.raises(InputError, match="MY_KEY holds a character"):
        key_from("MY_KEY")


def test_a_missing_key_is_told_before_anything_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MY_KEY", raising=False)
    with pytest.raises(InputError, match="MY_KEY is not set"):
        Endpoint("http://127.0.0.1:1/v1", "m", options=EndpointOptions(api_key_env="MY_KEY"))


def test_a_limit_in_usd_needs_prices() -> None:
    with pytest.raises(InputError, match="needs the model's prices"):
        Endpoint("http://127.0.0.1:1/v1", "m", budget=Budget(usd=1.0))
    Endpoint(
        "http://127.0.0.1:1/v1", "m", budget=Budget(usd=1.0), options=EndpointOptions(prices=Prices(1, 2))
    )


@pytest.mark.parametrize(
    "wrong",
    [
        {"timeout_s": 0},
        {"retries": -1},
        {"most_failed": 1.5},
        {"first_backoff_s": 9.0, "longest_backoff_s": 1.0},
        {"recovery": "never"},
        {"prices": Prices(-1, 0)},
    ],
)
def test_numbers_that_make_no_sense_are_refused(wrong: dict) -> None:
    with pytest.raises(InputError, match="EndpointOptions"):
        EndpointOptions(**wrong)


def test_the_rest_of_an_endpoint_is_checked_too() -> None:
    with pytest.raises(InputError, match="name is empty"):
        Endpoint("http://127.0.0.1:1/v1", "")
    with pytest.raises(InputError, match="concurrency is 0"):
        Endpoint("http://127.0.0.1:1/v1", "m", concurrency=0)
    with pytest.raises(InputError, match="tokens is -1"):
        Budget(tokens=-1)
