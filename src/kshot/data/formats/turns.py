"""Chat rows: a list of turns becomes a prompt, its answer, and what was said before."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kshot.data.example import Message, Role
from kshot.data.formats.fields import kind
from kshot.errors import DataError

_ROLES: dict[str, Role] = {
    "system": "system",
    "developer": "system",
    "user": "user",
    "human": "user",
    "assistant": "assistant",
    "gpt": "assistant",
    "chatgpt": "assistant",
    "model": "assistant",
}


def from_turns(turns: Any, key: str, *, labelled: bool) -> dict[str, Any]:
    """The fields of an example: the last assistant turn is the answer, the user turn before it the prompt.

    A system turn may stand first. Without ``labelled`` the last turn may be the user's: no answer yet.

    Raises:
        DataError: The turns do not end that way, or a turn has an unknown role or no text.
    """
    messages = read_turns(turns, key)
    system = messages.pop(0).content if messages and messages[0].role == "system" else None
    if any(turn.role == "system" for turn in messages):
        raise DataError(f"field {key!r} has a system turn that is not the first one")
    answer = ""
    if messages and messages[-1].role == "assistant":
        answer = messages.pop().content
    elif labelled:
        raise DataError(f"field {key!r} does not end with an assistant turn; the last one is the answer")
    if not messages or messages[-1].role != "user":
        where = "before the answer" if answer else "at the end"
        raise DataError(f"field {key!r} has no user turn {where}; it is the prompt")
    return {
        "prompt": messages[-1].content,
        "answer": answer,
        "system": system,
        "history": tuple(messages[:-1]),
    }


def read_turns(turns: Any, key: str) -> list[Message]:
    """A list of ``{role, content}`` (OpenAI, TRL) or ``{from, value}`` (ShareGPT) as messages."""
    if not isinstance(turns, list):
        raise DataError(f"field {key!r} is {kind(turns)}, expected a list of turns")
    return [_turn(turn, f"{key}[{index}]") for index, turn in enumerate(turns)]


def read_history(value: Any) -> tuple[Message, ...]:
    """Earlier turns: messages, or ``[question, answer]`` pairs as LLaMA-Factory writes them."""
    if value is None:
        return ()
    if isinstance(value, list) and all(isinstance(pair, list) and len(pair) == 2 for pair in value):
        pairs = [({"role": "user", "content": q}, {"role": "assistant", "content": a}) for q, a in value]
        value = [turn for pair in pairs for turn in pair]
    return tuple(read_turns(value, "history"))


def _turn(turn: Any, where: str) -> Message:
    if not isinstance(turn, Mapping):
        raise DataError(f"field {where!r} is {kind(turn)}, expected an object with role and content")
    role = turn.get("role", turn.get("from"))
    content = turn.get("content", turn.get("value"))
    if not isinstance(role, str) or role not in _ROLES:
        known = "system, user, assistant (ShareGPT: human, gpt)"
        raise DataError(f"field {where!r} has the role {role!r}, expected one of {known}")
    if turn.get("tool_calls"):
        raise DataError(f"field {where!r} calls tools; only turns of text can be read")
    if not isinstance(content, str):
        raise DataError(f"field {where!r} has no text: its content is {kind(content)}")
    return Message(_ROLES[role], content)
