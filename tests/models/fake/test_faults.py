"""Which request meets which fate."""

from collections import Counter

import pytest

from kshot.errors import InputError
from kshot.models.fake import Faults


def test_shares_are_kept() -> None:
    faults = Faults(rate_limited=0.2, malformed=0.05, disconnected=0.02, seed=3)
    found = Counter(faults.fate(f"body {i}", 0) for i in range(20_000))
    assert found["rate_limited"] / 20_000 == pytest.approx(0.2, abs=0.01)
    assert found["malformed"] / 20_000 == pytest.approx(0.05, abs=0.006)
    assert found["disconnected"] / 20_000 == pytest.approx(0.02, abs=0.004)
    assert set(found) == {"ok", "rate_limited", "malformed", "disconnected"}


def test_a_fate_depends_on_body_and_attempt_not_on_order() -> None:
    faults = Faults(rate_limited=0.5)
    first = {(i, n): faults.fate(str(i), n) for i in range(50) for n in range(3)}
    second = {(i, n): faults.fate(str(i), n) for n in range(3) for i in reversed(range(50))}
    assert first == second
    assert len({faults.fate("one", n) for n in range(20)}) == 2  # asked again, it may go well
    assert first != {(i, n): Faults(rate_limited=0.5, seed=1).fate(str(i), n) for i, n in first}


def test_latency_lies_in_its_range() -> None:
    times = [Faults(latency=(0.05, 2.0)).seconds(str(i), 0) for i in range(2_000)]
    assert 0.05 <= min(times) < 0.1
    assert 1.9 < max(times) <= 2.0


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"rate_limited": 1.5}, "rate_limited is 1.5"),
        ({"empty": -0.1}, "empty is -0.1"),
        ({"empty": 0.6, "malformed": 0.6}, "add up to 1.200"),
        ({"latency": (2.0, 1.0)}, "latency"),
        ({"latency": (0.0, float("inf"))}, "latency"),
        ({"retry_after": "tomorrow"}, "retry_after"),
    ],
)
def test_faults_that_make_no_sense_are_refused(wrong: dict[str, float], said: str) -> None:
    with pytest.raises(InputError, match=said):
        Faults(**wrong)
