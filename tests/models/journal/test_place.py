"""How the journal is used where nothing else is said."""

import pytest

from kshot.errors import InputError
from kshot.models.journal import default_mode


def test_the_mode_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KSHOT_JOURNAL_MODE", raising=False)
    assert default_mode() == "use"
    monkeypatch.setenv("KSHOT_JOURNAL_MODE", "refresh")
    assert default_mode() == "refresh"
    monkeypatch.setenv("KSHOT_JOURNAL_MODE", "none")
    with pytest.raises(InputError, match="expected one of use, refresh, read_only, off"):
        default_mode()
