import asyncio

from hypothesis import given
from hypothesis import strategies as st

from kshot.models.endpoint.gate import Gate


def test_a_429_halves_once_a_round_trip() -> None:
    gate = Gate(32)
    sent = gate.epoch
    for _ in range(20):  # a storm: all of requests sent before the first halving
        gate.limited(sent)
    assert gate.bound == 16
    gate.limited(gate.epoch)
    assert (gate.bound, gate.flow().halvings) == (8, 2)


def test_replies_let_it_grow_by_one_a_round_trip_up_to_where_it_began() -> None:
    gate = Gate(8, recovery="round_trip")
    gate.limited(gate.epoch)
    bounds = []
    for _ in range(40):
        gate.answered(gate.epoch)
        bounds.append(gate.bound)
    # 4 replies to reach 5, 5 more to reach 6, then 6, then 7
    assert [bounds.index(n) + 1 for n in (5, 6, 7, 8)] == [4, 9, 15, 22]
    assert bounds[-1] == 8


def test_recovery_by_reply_is_faster() -> None:
    gate = Gate(8)
    gate.limited(gate.epoch)
    for _ in range(4):
        gate.answered(gate.epoch)
    assert gate.bound == 8


def test_refusals_that_come_faster_than_replies_do_not_halve_it_again() -> None:
    now = 0.0
    gate = Gate(32, clock=lambda: now)
    gate.answered(gate.epoch, 1.0)
    bounds = []
    for _ in range(50):  # 429 after 0.05 s each, always of a request sent after the last halving
        now += 0.05
        gate.limited(gate.epoch)
        bounds.append(gate.bound)
    assert bounds.count(16) == bounds.count(8) == 20  # a second each
    assert gate.flow().halvings == 3


def test_in_the_gentler_recovery_replies_to_requests_from_before_the_halving_do_not_count() -> None:
    gate = Gate(2, recovery="round_trip")
    before = gate.epoch
    gate.limited(before)
    gate.answered(before)
    assert gate.bound == 1
    gate.answered(gate.epoch)
    assert gate.bound == 2


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 3)), max_size=200), st.integers(1, 40))
def test_the_bound_stays_between_one_and_where_it_began(events: list, most: int) -> None:
    gate = Gate(most)
    for is_limited, age in events:
        (gate.limited if is_limited else gate.answered)(gate.epoch - age)
        assert 1 <= gate.bound <= most


def test_no_more_than_the_bound_are_let_in_and_a_repeated_request_goes_first() -> None:
    async def course() -> list[str]:
        gate, order = Gate(2), []

        async def enter(name: str, *, first: bool = False) -> None:
            await gate.enter(first=first)
            order.append(name)

        await enter("a")
        await enter("b")
        waiting = [asyncio.create_task(enter(name)) for name in "cd"]
        await asyncio.sleep(0)
        waiting.append(asyncio.create_task(enter("again", first=True)))
        await asyncio.sleep(0.01)
        assert order == ["a", "b"]
        for _ in range(3):
            gate.leave()
            await asyncio.sleep(0)
        await asyncio.gather(*waiting)
        assert gate.in_flight == 2
        return order

    assert asyncio.run(course()) == ["a", "b", "again", "c", "d"]


def test_a_place_given_to_somebody_who_is_cancelled_is_given_back() -> None:
    async def course() -> None:
        gate = Gate(1)
        await gate.enter()
        waiting = asyncio.create_task(gate.enter())
        await asyncio.sleep(0)
        gate.leave()  # lets the waiting one in ...
        waiting.cancel()  # ... which is cancelled before it hears of it
        await asyncio.gather(waiting, return_exceptions=True)
        assert gate.in_flight == 0
        await asyncio.wait_for(gate.enter(), 1)

    asyncio.run(course())


def test_a_pause_holds_everybody_back_and_the_later_end_counts() -> None:
    async def course() -> float:
        gate = Gate(4)
        gate.pause(0.1)
        gate.pause(0.02)
        loop = asyncio.get_running_loop()
        began = loop.time()
        await asyncio.gather(gate.enter(), gate.enter())
        assert 0.09 < gate.flow().paused_s < 0.11
        return loop.time() - began

    assert 0.09 < asyncio.run(course()) < 0.5
