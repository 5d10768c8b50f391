"""What is wrong with a task file, in sentences: the line, what was found, what was expected."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from kshot.data.formats.fields import kind
from kshot.data.nearest import nearest
from kshot.data.taskfile.settings import SECRET
from kshot.data.taskfile.yaml_tree import Place, YamlTree

_SECRET_KEY = re.compile(
    r"(api|access|auth|private)[-_]?key|((^|api_|hf_|auth_|access_|bearer_)token$)|secret|passw|authori[sz]ation|credential|bearer",
    re.I,
)
_EXPECTED = {
    "string_type": "text (put it in quotes)",
    "string_too_short": "some text",
    "int_type": "a whole number",
    "float_type": "a number",
    "bool_type": "true or false",
    "tuple_type": "a list, such as [a, b]",
    "dict_type": "keys and values",
    "model_type": "keys and values",
    "finite_number": "a finite number",
}


def sentences(error: ValidationError, root: type[BaseModel], tree: YamlTree) -> list[str]:
    """One sentence for each finding, in the order of the lines; long values are cut."""
    found = error.errors(include_url=False)
    places = [tuple(detail["loc"]) for detail in found]
    told = [
        f"{tree.where(place)}: {_sentence(detail, root)}" for place, detail in zip(places, found, strict=True)
    ]
    return sorted(told, key=lambda line: _line_number(line, tree.name))


def secret_sentences(data: Mapping[str, Any], tree: YamlTree) -> list[str]:
    """Values that look like a key of a known service, without the values."""
    hint = "it is not shown; put it into an environment variable and name that in knowledge.llm.api_key_env"
    return [
        f"{tree.where(place)}: the value of {_dotted(place)!r} looks like a secret key; {hint}"
        for place, value in _texts(data, ())
        if SECRET.search(value)
    ]


def _sentence(detail: ErrorDetails, root: type[BaseModel]) -> str:
    place, what = tuple(detail["loc"]), detail["type"]
    name = _dotted(place)
    if what == "extra_forbidden":
        return _unknown(place, root)
    if what == "missing":
        return f"key {name!r} is missing; every task file needs it{_example(place)}"
    if what == "literal_error":
        expected = detail.get("ctx", {}).get("expected", "")
        return f"{name} is {_shown(detail['input'])}, expected {expected.replace(chr(39), '')}"
    if what in _EXPECTED:
        return f"{name} is {_shown(detail['input'])}, expected {_EXPECTED[what]}"
    if detail.get("ctx") and what.startswith(("greater", "less")):
        rule = detail["msg"].removeprefix("Input should be ")
        return f"{name} is {_shown(detail['input'])}, expected a number {rule}"
    return f"{name}: {detail['msg']}" if name else detail["msg"]


def _unknown(place: Place, root: type[BaseModel]) -> str:
    key, parent = str(place[-1]), _dotted(place[:-1])
    if _SECRET_KEY.search(key):
        return (
            f"key {key!r} looks like a secret (its value is not shown); none may stand in a task file: "
            "put it into an environment variable and name that in knowledge.llm.api_key_env"
        )
    known = _keys(root, place[:-1])
    close = nearest(key, known)
    under = f" under {parent!r}" if parent else ""
    if close is not None:
        return f"unknown key {key!r}{under}; did you mean {close!r}?"
    homes = [section for section in root.model_fields if key in _keys(root, (section,))]
    if homes and not parent:
        return f"unknown key {key!r}; it stands under {homes[0]!r}"
    return f"unknown key {key!r}{under}; known are {', '.join(known)}"


def _keys(root: type[BaseModel], place: Place) -> list[str]:
    """The keys that a section may have."""
    section: type[BaseModel] | None = root
    for part in place:
        field = section.model_fields.get(str(part)) if section is not None else None
        section = _section_in(field.annotation) if field is not None else None
    return list(section.model_fields) if section is not None else []


def _section_in(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for part in get_args(annotation) if (found := _section_in(part)) is not None), None)


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str | int | float):
        text = repr(value)
        return text if len(text) <= 40 else f"{text[:36]}...'"
    return kind(value)


def _example(place: Place) -> str:
    written: dict[Place, str] = {
        ("version",): "version: 1",
        ("task",): "task: {type: classification}",
        ("task", "type"): "type: classification, choice, generation or extraction",
        ("examples",): "examples: {path: shots.jsonl}",
    }
    return f": {written[place]}" if place in written else ""


def _dotted(place: Place) -> str:
    return ".".join(map(str, place))


def _texts(value: Any, place: Place) -> Iterator[tuple[Place, str]]:
    if isinstance(value, str):
        yield place, value
    elif isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _texts(inner, (*place, str(key)))
    elif isinstance(value, list | tuple):
        for index, inner in enumerate(value):
            yield from _texts(inner, (*place, index))


def _line_number(sentence: str, name: str) -> int:
    digits = re.match(r":(\d+)", sentence[len(name) :])
    return int(digits.group(1)) if digits else 0
