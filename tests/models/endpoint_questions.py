"""Questions and patience for tests of the endpoint: everything that waits waits shortly."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from kshot.data.example import Message
from kshot.models.asking import Decoding, Question
from kshot.models.endpoint import Endpoint, EndpointOptions
from kshot.models.fake import FakeServer, Faults

NO_FAULTS = Faults()
QUICK = {"first_backoff_s": 0.01, "longest_backoff_s": 0.05, "timeout_s": 5.0}


def quick(**more: Any) -> EndpointOptions:
    """Options with short waits."""
    return EndpointOptions(**{**QUICK, **more})


def question(text: str, *, step: str = "answer", **decoding: Any) -> Question:
    """One user turn."""
    return Question((Message("user", text),), Decoding(**{"max_new_tokens": 16, **decoding}), step=step)


def questions(count: int) -> list[Question]:
    """Questions that differ."""
    return [question(f"question {number}") for number in range(count)]


def echo(body: Mapping[str, Any]) -> str:
    """The last turn's text, named as a reply."""
    return f"re: {body['messages'][-1]['content']}"


@contextmanager
def served(
    reply: Callable[[Mapping[str, Any]], Any] = echo,
    *,
    faults: Faults = NO_FAULTS,
    model: str = "fake",
    api_key: str | None = None,
    **given: Any,
) -> Iterator[tuple[FakeServer, Endpoint]]:
    """A server, and an endpoint that asks it: arguments of both, and those of the options."""
    own = {name: given.pop(name) for name in ("journal", "concurrency", "budget") if name in given}
    with (
        FakeServer(reply, faults=faults, api_key=api_key) as server,
        Endpoint(server.base_url, model, **own, options=quick(**given)) as endpoint,
    ):
        yield server, endpoint
