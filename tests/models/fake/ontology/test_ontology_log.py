"""The server's log and the score by it."""

from __future__ import annotations

import math
import threading

import pytest

from kshot.models.fake.ontology import ItemLog, score
from kshot.models.fake.ontology.items import JUNK, TEMPLATES


def test_the_score_counts_leaves_junk_and_repeats() -> None:
    log = ItemLog()
    given = {"a": 0, "b": 1, "c": 2, "a again": 0, "d": TEMPLATES, "e": TEMPLATES + 1, "junk": JUNK}
    for text, number in given.items():
        log.note(text, number)
    found = score(log, [*given, "never written"], leaves=8)
    assert found.rows == 8
    assert found.leaf_recall == 2 / 8
    assert found.leaf_recall_3 == 1 / 8
    assert found.off_share == 1 / 8
    assert found.repeats == 1 / 8
    assert found.unknown == 1
    entropy = -(2 / 3 * math.log(2 / 3) + 1 / 3 * math.log(1 / 3))
    assert found.evenness == pytest.approx(math.exp(entropy) / 8)


def test_no_rows_score_nothing() -> None:
    found = score(ItemLog(), [], leaves=3)
    assert (found.rows, found.leaf_recall, found.evenness, found.off_share) == (0, 0.0, 0.0, 0.0)


def test_the_log_is_bounded_and_survives_json() -> None:
    log = ItemLog(most=3)
    for number in range(5):
        log.note(str(number), number)
    assert len(log) == 3
    assert (log.id_of("0"), log.id_of("4")) == (None, 4)
    assert ItemLog.from_json(log.to_json()).id_of("4") == 4


def test_threads_may_note_at_once() -> None:
    log = ItemLog()

    def work(start: int) -> None:
        for number in range(start, start + 500):
            log.note(str(number), number)

    threads = [threading.Thread(target=work, args=(500 * place,)) for place in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(log) == 2000
