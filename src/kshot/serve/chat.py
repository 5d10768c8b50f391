"""A chat request with a pool's insights in it: which text is looked up, and where the block goes."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from kshot.methods.panda.prompts import insight_block
from kshot.methods.panda.records import Insight
from kshot.methods.panda.seams import Retrieved
from kshot.serve.options import ProxyOptions
from kshot.serve.spans import Span, items, members, parsed, replaced

Edit: TypeAlias = tuple[int, int, str]
NOTHING = Retrieved()
LONGEST_QUERY = 32_768  # characters; no key of a pool is near so long, and encoding holds others up


class NoChatError(ValueError):
    """The body is no chat request; the message says why."""


@dataclass(frozen=True, slots=True)
class Adapted:
    """A request as it goes to the upstream.

    Attributes:
        body: The client's own bytes where nothing was added.
        shown: How many insights stand in it.
        retrieved: What the pool gave.
    """

    body: bytes
    shown: int = 0
    retrieved: Retrieved = NOTHING


@dataclass(frozen=True, slots=True)
class _Turn:
    """One message: its role, its content's place, and the texts in it."""

    role: str
    content: Span | None
    texts: tuple[Span, ...]

    @property
    def text(self) -> str:
        return "\n".join(span.value for span in self.texts)


def adapted(raw: bytes, read_pool: Callable[[str], Retrieved], options: ProxyOptions) -> Adapted:
    r"""The request with the insights that fit it; every byte around them stays as it came.

    A request without a user's text, and one for which the pool has nothing, is not changed at all.

    Raises:
        NoChatError: The body is no JSON object with a list of messages.

    >>> raw = b'{"messages": [{"role": "user", "content": "Fine?"}], "seed":  7}'
    >>> adapted(raw, lambda text: Retrieved(), ProxyOptions()).body == raw
    True
    """
    try:
        text = raw.decode("utf-8")
        messages, turns = _turns(text)
    except UnicodeDecodeError:
        raise NoChatError("the body is no UTF-8 text") from None
    except ValueError as error:
        raise NoChatError(f"the body is no chat request: {error}") from None
    query = _query_text(turns, options)
    if not query.strip():
        return Adapted(raw)
    retrieved = read_pool(query)
    insights = _shown([chosen.insight for chosen in retrieved.chosen], options)
    if not insights:
        return Adapted(raw, 0, retrieved)
    block = insight_block(insights, render=options.render, answers=options.answers)
    edit = _in_system(messages, turns, block) if options.place == "system" else _in_user(turns, block)
    return Adapted(replaced(text, [edit]).encode("utf-8"), len(insights), retrieved)


def _query_text(turns: Sequence[_Turn], options: ProxyOptions) -> str:
    """What is compared with the pool's keys: of a very long text the end.

    Half characters, which no encoder reads, are replaced.
    """
    users = [turn.text for turn in turns if turn.role == "user" and turn.text.strip()]
    text = "\n".join(users) if options.query_from == "all-user" else _last(turns)
    return text[-LONGEST_QUERY:].encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _last(turns: Sequence[_Turn]) -> str:
    return next((turn.text for turn in reversed(turns) if turn.role == "user"), "")


def _shown(insights: Sequence[Insight], options: ProxyOptions) -> list[Insight]:
    """Those of which the block has something to show."""
    return [i for i in insights if insight_block([i], render=options.render, answers=options.answers)]


def _turns(text: str) -> tuple[Span, list[_Turn]]:
    whole = parsed(text)
    if not isinstance(whole.value, dict):
        raise ValueError(f"found {_kind(whole.value)}, expected a JSON object")
    messages = members(text, whole).get("messages")
    if messages is None or not isinstance(messages.value, list) or not messages.value:
        raise ValueError("'messages' is missing, or is no list of messages")
    return messages, [_turn(text, place, span) for place, span in enumerate(items(text, messages))]


def _turn(text: str, place: int, span: Span) -> _Turn:
    if not isinstance(span.value, dict) or not isinstance(span.value.get("role"), str):
        raise ValueError(f"message {place} is no object with a role")
    content = members(text, span).get("content")
    if content is None or not isinstance(content.value, str | list):
        return _Turn(span.value["role"], None, ())
    if isinstance(content.value, str):
        return _Turn(span.value["role"], content, (content,))
    parts = [part for part in items(text, content) if isinstance(part.value, dict)]
    found = [members(text, part).get("text") for part in parts if part.value.get("type") == "text"]
    texts = [part for part in found if part is not None and isinstance(part.value, str)]
    return _Turn(span.value["role"], content, tuple(texts))


def _in_user(turns: Sequence[_Turn], block: str) -> Edit:
    """Before the text of the last user message that has one."""
    last = next(turn for turn in reversed(turns) if turn.role == "user" and turn.text.strip())
    return last.texts[0].start, last.texts[0].end, json.dumps(f"{block}\n\n{last.texts[0].value}")


def _in_system(messages: Span, turns: Sequence[_Turn], block: str) -> Edit:
    """At the end of the first system message, else as a new first message."""
    first = next((t for t in turns if t.role in ("system", "developer") and t.content is not None), None)
    if first is None or first.content is None:
        turn = json.dumps({"role": "system", "content": block})
        return messages.start + 1, messages.start + 1, f"{turn}, "
    content = first.content
    if isinstance(content.value, str):
        whole = f"{content.value}\n\n{block}" if content.value.strip() else block
        return content.start, content.end, json.dumps(whole)
    part = json.dumps({"type": "text", "text": block})
    return content.end - 1, content.end - 1, f", {part}" if content.value else part


def _kind(value: Any) -> str:
    return {list: "a list", str: "a text", bool: "a truth value", type(None): "null"}.get(
        type(value), "a number"
    )
