"""A process that asks and may be killed: prints each reply as soon as it is given."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

from kshot.data.example import Message
from kshot.models.asking import Decoding, Question
from kshot.models.endpoint import Endpoint, EndpointOptions


def questions(count: int) -> Iterator[Question]:
    """Questions that differ."""
    for number in range(count):
        yield Question((Message("user", f"What is question {number}?"),), Decoding(32), step="answer")


def main(base_url: str, journal: str, count: str, concurrency: str) -> None:
    """Asks all questions."""
    options = EndpointOptions(first_backoff_s=0.1, longest_backoff_s=2.0)
    with Endpoint(
        base_url, "fake", journal=Path(journal), concurrency=int(concurrency), options=options
    ) as endpoint:
        for position, reply in endpoint.ask(questions(int(count))):
            print(position, reply.finish_reason, reply.text, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
