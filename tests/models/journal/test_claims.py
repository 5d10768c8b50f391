"""Claims: every request is asked once, and those of the dead are free."""

import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path

import pytest
from journal_calls import call, key

from kshot.models.journal import Journal
from kshot.models.journal.owners import here, is_dead, this_process

KEYS = [key(i) for i in range(5)]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "calls.sqlite"


def test_each_key_belongs_to_one(path: Path) -> None:
    with Journal(path) as one, Journal(path) as two:
        assert one.claim(KEYS[:3]) == set(KEYS[:3])
        assert two.claim(KEYS) == set(KEYS[3:])
        assert one.claim(KEYS) == set()
        one.settle(call(0))
        two.release(KEYS)  # its own alone
        assert two.claim(KEYS) == set(KEYS[3:])
        assert one.claim(KEYS) == set()


def test_a_settled_claim_is_over_and_a_failed_one_may_be_asked_again(path: Path) -> None:
    with Journal(path) as one, Journal(path) as two:
        one.claim(KEYS[:2])
        one.settle_many([call(0), call(1, status="failed")])
        assert two.claim(KEYS[:2]) == {KEYS[1]}


def test_a_claim_ends_with_its_lease(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Journal(path, lease_s=10) as one, Journal(path, lease_s=10) as two:
        now = 1_000_000.0
        monkeypatch.setattr("time.time", lambda: now)
        one.claim(KEYS[:2])
        now += 9
        assert two.claim(KEYS[:2]) == set()
        assert one.renew(KEYS[:1]) == {KEYS[0]}
        now += 2
        assert two.claim(KEYS[:2]) == {KEYS[1]}
        assert one.renew(KEYS[:2]) == {KEYS[0]}


def test_the_end_gives_everything_back(path: Path) -> None:
    with Journal(path) as two:
        with Journal(path) as one:
            one.claim(KEYS)
        assert two.claim(KEYS) == set(KEYS)


def test_claims_of_a_dead_process_are_free_at_once(path: Path) -> None:
    code = (
        "import os, sys; from kshot.models.journal import Journal; Journal(sys.argv[1]).claim(sys.argv[2:])"
    )
    subprocess.run([sys.executable, "-c", f"{code}; os._exit(9)", str(path), *KEYS], check=False)
    with Journal(path) as journal:
        assert journal.claim(KEYS) == set(KEYS)


def test_another_machine_s_claims_wait_for_their_lease(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as there:
        there.setattr("socket.gethostname", lambda: "elsewhere")
        one = Journal(path)
    monkeypatch.setattr("os.kill", lambda *_: (_ for _ in ()).throw(ProcessLookupError))
    with Journal(path) as two:
        one.claim(KEYS)
        assert two.claim(KEYS) == set()
    one.close()


def test_a_process_number_used_again_is_another_process() -> None:
    me = this_process("me")
    assert me.name.startswith("me-")
    assert not is_dead(me, seen_from=here())
    if me.started:
        assert is_dead(replace(me, started=me.started - 1), seen_from=here())
    assert not is_dead(replace(me, started=0), seen_from=here())
    assert not is_dead(replace(me, started=1), seen_from="another place")


def test_an_unreaped_child_is_dead() -> None:
    child = subprocess.Popen(["sleep", "60"])
    owner = replace(this_process(), pid=child.pid, started=0)
    assert not is_dead(owner, seen_from=here())
    child.kill()
    if owner.place and Path("/proc/self/stat").exists():
        for _ in range(1000):
            if is_dead(owner, seen_from=here()):
                break
        assert is_dead(owner, seen_from=here())
    child.wait()
    assert is_dead(owner, seen_from=here())


def test_threads_share_one_journal(path: Path) -> None:
    asked: list[str] = []
    begin = threading.Barrier(8)

    def work(journal: Journal) -> None:
        begin.wait()
        for start in range(0, 70, 7):
            for ours in sorted(journal.claim([key(i) for i in range(start, start + 20)])):
                asked.append(ours)
                index = next(i for i in range(start, start + 20) if key(i) == ours)
                journal.settle(call(index))
            journal.find_many([key(i) for i in range(70)])

    with Journal(path) as journal:
        threads = [threading.Thread(target=work, args=[journal]) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(asked) == len(set(asked)) == len(list(journal.calls())) >= 70
