"""Which calls are meant: by step, model, status, time and key."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from kshot.errors import InputError
from kshot.models.journal.call import Moment, Status, microseconds


@dataclass(frozen=True, slots=True)
class Chosen:
    """A condition on calls; a field that is None does not choose.

    Attributes:
        since: The first moment that counts.
        until: The first moment that counts no more.

    Raises:
        InputError: A status that is none.

    >>> Chosen(step="learn").where()
    ('calls.step = ?', ['learn'])
    """

    step: str | None = None
    model: str | None = None
    since: Moment | None = None
    until: Moment | None = None
    status: Status | None = None

    def __post_init__(self) -> None:
        if self.status not in (None, "done", "failed"):
            raise InputError(f"status {self.status!r} of a call is none of done, failed")

    def where(self) -> tuple[str, list[Any]]:
        """SQL, and the values of its question marks."""
        given: Sequence[tuple[str, Any]] = (
            ("calls.step = ?", self.step),
            ("calls.model = ?", self.model),
            ("calls.status = ?", self.status),
            ("calls.created >= ?", None if self.since is None else microseconds(self.since)),
            ("calls.created < ?", None if self.until is None else microseconds(self.until)),
        )
        kept = [(condition, value) for condition, value in given if value is not None]
        return " AND ".join(c for c, _ in kept) or "1", [value for _, value in kept]
