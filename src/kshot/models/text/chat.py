"""Chat templates found and rendered in a sandbox, as transformers renders them, without loading it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from jinja2 import nodes
from jinja2.exceptions import TemplateError
from jinja2.ext import Extension, loopcontrols
from jinja2.parser import Parser
from jinja2.sandbox import ImmutableSandboxedEnvironment

from kshot.data.example import Conversation, Message
from kshot.errors import ModelError

# the day that Llama's own templates state where they are given none
_DAY = datetime(2024, 7, 26, tzinfo=UTC)


class _GenerationTag(Extension):
    """``{% generation %}`` blocks mark replies for other tools; here they are rendered as they stand."""

    tags = {"generation"}  # noqa: RUF012 - jinja's own name and type

    def parse(self, parser: Parser) -> list[nodes.Node]:
        next(parser.stream)
        return parser.parse_statements(("name:endgeneration",), drop_needle=True)


def compiled(template: str, *, name: str) -> Callable[..., str]:
    """The render function of a chat template: ``messages``, ``add_generation_prompt``, special tokens.

    A template that asks for today (``strftime_now``) is given one fixed day: a prompt is a function of
    its row, or a run could not be repeated tomorrow.

    >>> compiled("{% for m in messages %}[{{ m.role }}]{{ m.content }}{% endfor %}", name="x")(
    ...     messages=[{"role": "user", "content": "hi"}])
    '[user]hi'

    Raises:
        ModelError: The template is no valid Jinja.
    """
    environment = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[_GenerationTag, loopcontrols]
    )
    environment.filters["tojson"] = _tojson
    environment.globals["raise_exception"] = _refuse
    environment.globals["strftime_now"] = _DAY.strftime
    try:
        return environment.from_string(template).render
    except TemplateError as error:
        raise ModelError(
            f"{name}: the chat template is no valid Jinja ({error}); use template plain"
        ) from error


def chat_files(folder: Path) -> tuple[str | None, dict[str, str]]:
    """The chat template of a tokenizer folder, if it has one, and its special tokens by name.

    Raises:
        ModelError: A file cannot be read.
    """
    config = read_json(folder / "tokenizer_config.json")
    special = _special_tokens(read_json(folder / "special_tokens_map.json") | config)
    file = folder / "chat_template.jinja"
    if file.is_file():
        return file.read_text(encoding="utf-8"), special
    found = config.get("chat_template")
    if isinstance(found, list):
        named = {entry.get("name"): entry.get("template") for entry in found if isinstance(entry, dict)}
        found = named.get("default")
    return (found if isinstance(found, str) else None), special


def _special_tokens(config: Mapping[str, Any]) -> dict[str, str]:
    found = {}
    for key, value in config.items():
        text = value.get("content") if isinstance(value, dict) else value
        if key.endswith("_token") and isinstance(text, str):
            found[key] = text
    return found


def folded(conversation: Conversation) -> Conversation:
    """The text of every system turn at the head of the user turn after it."""
    turns: list[Message] = []
    waiting: list[str] = []
    for turn in conversation:
        if turn.role == "system":
            waiting.append(turn.content)
        elif turn.role == "user" and waiting:
            turns.append(Message("user", "\n\n".join([*waiting, turn.content])))
            waiting = []
        else:
            turns.append(turn)
    return (*turns, Message("user", "\n\n".join(waiting))) if waiting else tuple(turns)


def read_json(path: Path) -> dict[str, Any]:
    """The JSON object in a file; empty where there is no file.

    Raises:
        ModelError: The file holds anything else.
    """
    if not path.is_file():
        return {}
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, OSError) as error:
        raise ModelError(f"{path}: cannot be read as JSON ({error}); download it again") from error
    if not isinstance(found, dict):
        raise ModelError(f"{path}: holds {type(found).__name__}, expected a JSON object")
    return found


def _tojson(value: Any, ensure_ascii: bool = False, indent: int | None = None, **options: Any) -> str:
    return json.dumps(value, ensure_ascii=ensure_ascii, indent=indent, **options)


def _refuse(message: str) -> str:
    raise TemplateError(message)
