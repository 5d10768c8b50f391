"""Where the next requests go, and how lanes divide them."""

from hypothesis import given
from hypothesis import strategies as st

from kshot.methods.explore.fill.allot import Open, allotted, lane_plans
from kshot.methods.explore.records import TaskNode

TASK = st.builds(
    lambda missing, recent: Open(TaskNode("a", "a", recent=recent), missing, 0),
    st.integers(1, 60),
    st.text("01", max_size=30),
)


def scanned(tasks, requests, batch):
    """The slow restatement: look at every task for each request."""
    found = [0] * len(tasks)
    missing = [float(task.missing) for task in tasks]
    while requests:
        open_ = [n for n in range(len(tasks)) if found[n] == 0 or missing[n] >= 1]
        if not open_:
            break
        best = max(open_, key=lambda n: (missing[n] * tasks[n].share, -n))
        found[best] += 1
        requests -= 1
        missing[best] -= min(batch, missing[best]) * tasks[best].share
    return found


@given(tasks=st.lists(TASK, max_size=8), requests=st.integers(0, 60), batch=st.integers(1, 12))
def test_the_heap_chooses_as_a_scan_would(tasks, requests, batch) -> None:
    assert allotted(tasks, requests, batch=batch) == scanned(tasks, requests, batch)


@given(tasks=st.lists(TASK, min_size=1, max_size=5), data=st.data(), lane_calls=st.integers(1, 6))
def test_lanes_hold_all_requests_once(tasks, data, lane_calls) -> None:
    requests = [data.draw(st.integers(0, 20)) for _ in tasks]
    plans = lane_plans(tasks, requests, lane_calls=lane_calls)
    assert all(1 <= plan.requests <= lane_calls for plan in plans)
    for task, total in zip(tasks, requests, strict=True):
        own = [plan for plan in plans if plan.task is task]
        ordinals = [plan.first + n for plan in own for n in range(plan.requests)]
        assert ordinals == list(range(total))
        assert total == 0 or sum(plan.target for plan in own) >= task.missing


def test_ties_go_to_the_earlier_task() -> None:
    tasks = [Open(TaskNode(name, name), 50, 0) for name in "abc"]
    assert allotted(tasks, 4, batch=10) == [2, 1, 1]


def test_a_task_that_keeps_little_gets_less() -> None:
    good, poor = TaskNode("a", "a", recent="1" * 30), TaskNode("b", "b", recent="1" * 8 + "0" * 22)
    assert allotted([Open(poor, 100, 0), Open(good, 100, 0)], 6, batch=10) == [0, 6]
    assert allotted([Open(poor, 100, 0), Open(good, 40, 0)], 6, batch=10) == [4, 2]
