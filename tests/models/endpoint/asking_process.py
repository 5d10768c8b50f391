"""A process of its own that asks: base URL, journal, count. Prints each reply at once."""

import sys
from pathlib import Path

from endpoint_questions import questions, quick

from kshot.models.endpoint import Endpoint


def main(base_url: str, journal: str, count: str) -> None:
    with Endpoint(base_url, "fake", journal=Path(journal), concurrency=8, options=quick()) as endpoint:
        for position, reply in endpoint.ask(questions(int(count))):
            print(position, reply.calls, reply.text, flush=True)


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[1]))
    main(*sys.argv[1:])
