"""What every test stands on: offline, one thread, no progress bars."""

import os
import uuid
from pathlib import Path

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import pytest
from hypothesis import settings

# no deadline: shared machines stall; in CI the same examples every time, so that a red run can be repeated
settings.register_profile("local", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "local")


@pytest.fixture(scope="session")
def journals(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the journals of calls lie; none is the user's own."""
    return tmp_path_factory.mktemp("journals")


@pytest.fixture(autouse=True)
def own_journal(journals: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each test has a journal of its own: what one asked must not answer another."""
    monkeypatch.setenv("KSHOT_JOURNAL", str(journals / f"{uuid.uuid4().hex}.sqlite"))
