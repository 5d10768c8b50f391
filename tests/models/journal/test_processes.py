"""Several processes on one journal, and processes that are killed."""

import multiprocessing
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from journal_calls import call, key, program, said_by

from kshot.models.journal import Journal

COUNT = 400
# asks everything in its own order, as an endpoint would; prints what it asked
ASKS = """
seed, count = int(sys.argv[2]), int(sys.argv[3])
journal = Journal(path)
order = list(range(count))
random.Random(seed).shuffle(order)
waiting = [order[i:i + 7] for i in range(0, count, 7)]
print("ready", flush=True)
sys.stdin.readline()
while waiting:
    numbers = waiting.pop(0)
    keys = {request_key(request(i)): i for i in numbers}
    for found in journal.find_many(keys):
        del keys[found]
    ours = journal.claim(list(keys))
    for claimed in ours:
        print(keys[claimed], flush=True)
    if ours:
        time.sleep(0.001)
        journal.settle_many([call(keys[claimed]) for claimed in ours])
    left = [number for name, number in keys.items() if name not in ours]
    if left:
        waiting.append(left)
print("end", flush=True)
"""


def started(path: Path, seeds: range, count: int = COUNT) -> list[subprocess.Popen[str]]:
    """Processes that have opened the journal and begin together."""
    processes = [program(ASKS, path, seed, count) for seed in seeds]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    return processes


def test_two_processes_ask_everything_once(tmp_path: Path) -> None:
    path = tmp_path / "calls.sqlite"
    processes = started(path, range(2))
    asked = [line for process in processes for line in said_by(process).split()]
    assert asked.count("end") == 2
    numbers = [int(line) for line in asked if line != "end"]
    assert sorted(numbers) == list(range(COUNT))
    with Journal(path, mode="read_only") as journal:
        assert {c.key for c in journal.calls()} == {key(i) for i in range(COUNT)}
        assert journal.usage()[0].calls == COUNT


def test_many_processes_make_one_file(tmp_path: Path) -> None:
    path = tmp_path / "new" / "calls.sqlite"
    code = "with Journal(path) as j: j.settle(call(int(sys.argv[2])))"
    for process in [program(code, path, i) for i in range(4)]:
        said_by(process)
    with Journal(path) as journal:
        assert {c.key for c in journal.calls()} == {key(i) for i in range(4)}


@pytest.mark.parametrize("after", [0, 3, 40, 150])
def test_what_was_settled_outlives_a_kill(tmp_path: Path, after: int) -> None:
    path = tmp_path / "calls.sqlite"
    (process,) = started(path, range(1), 5000)
    assert process.stdout is not None
    claimed = [int(process.stdout.readline()) for _ in range(after)]
    process.send_signal(signal.SIGKILL)
    claimed += [int(line) for line in process.communicate()[0].split() if line.isdigit()]
    with Journal(path) as journal:
        found = journal.find_many([key(i) for i in range(5000)])
        assert {name: c.text for name, c in found.items()} == {
            key(i): f"answer {i}" for i in claimed if key(i) in found
        }
        assert len(claimed) - len(found) <= 7  # what was in flight
        # its claims are free, and a second run asks exactly the rest
        missing = [key(i) for i in range(5000) if key(i) not in found]
        assert journal.claim([key(i) for i in range(5000)]) == set(missing)


def test_killed_again_and_again_it_ends_with_the_same_calls(tmp_path: Path) -> None:
    path = tmp_path / "calls.sqlite"
    asked: list[int] = []
    for pause in (0.0, 0.01, 0.05, 0.1):
        (process,) = started(path, range(1))
        time.sleep(pause)
        process.kill()
        asked += [int(line) for line in process.communicate()[0].split() if line.isdigit()]
    (process,) = started(path, range(1))
    asked += [int(line) for line in said_by(process).split() if line.isdigit()]
    assert set(asked) == set(range(COUNT))
    assert len(asked) - COUNT <= 4 * 7
    with Journal(path) as journal:
        assert sorted(c.key for c in journal.calls()) == sorted(key(i) for i in range(COUNT))
        assert all(c.text == f"answer {i}" for i in range(COUNT) if (c := journal.find(key(i))))


def test_a_kill_within_a_transaction_leaves_all_of_it_or_nothing(tmp_path: Path) -> None:
    path = tmp_path / "calls.sqlite"
    code = """
journal = Journal(path)
journal.settle(call(0))
calls = [call(i) for i in range(1, 3000)]
print("ready", flush=True)
journal.settle_many(calls)
print("end", flush=True)
"""
    for pause in (0.0, 0.02, 0.06):
        process = program(code, path)
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(pause)
        process.kill()
        process.wait()
        process.communicate()
        with Journal(path) as journal:
            assert len({c.key for c in journal.calls()}) in (1, 3000)
            assert journal.find(key(0)) is not None


@pytest.mark.skipif(sys.platform != "linux", reason="forks")
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_forked_child_opens_its_own(tmp_path: Path) -> None:
    with Journal(tmp_path / "calls.sqlite") as journal:
        journal.settle(call(0))
        journal.find(key(0))
        journal.claim([key(5)])
        owner = journal.owner
        context = multiprocessing.get_context("fork")
        queue = context.SimpleQueue()

        def child() -> None:
            claimed = journal.claim([key(5), key(6)])
            journal.settle(call(1))
            assert journal._file is not None
            opened_by = journal._file._now.pid
            queue.put((journal.owner, claimed == {key(6)}, journal.find(key(0)) is not None, opened_by))
            journal.close()

        process = context.Process(target=child)
        process.start()
        process.join(30)
        assert process.exitcode == 0
        other, claimed_right, found, opened_by = queue.get()
        assert other != owner
        assert opened_by == process.pid
        assert claimed_right
        assert found
        assert journal.find(key(1)) is not None
        journal.settle(call(2))
        assert journal.usage()[0].hits == 3  # of the parent two, of the child one
