import pytest

from kshot.errors import InputError
from kshot.models.endpoint import Budget, Endpoint, EndpointOptions, Prices


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
