"""A question as it is known (its canonical request, by which it is found again) and as it is sent."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from kshot.data.example import Conversation
from kshot.models.asking import Decoding, Question
from kshot.models.endpoint.meter import Spent

TURN_TOKENS = 8
BYTES_A_TOKEN = 3


def tokens_of(conversation: Conversation) -> int:
    """About how many tokens a prompt has, rather too many than too few; no tokenizer is needed.

    A token for three bytes of UTF-8, and 8 for each turn. English has about four bytes a token; most other
    scripts have two or three bytes a character and about a character a token.

    >>> from kshot.data.example import Message
    >>> tokens_of((Message("user", "Is it cold outside?"),))
    15
    """
    return sum(TURN_TOKENS + text_tokens(message.content) for message in conversation)


def text_tokens(text: str) -> int:
    """The same of a text alone; an empty text has none."""
    return -(-len(text.encode("utf-8", "surrogatepass")) // BYTES_A_TOKEN)


def need_of(question: Question) -> Spent:
    """What one request may cost at most."""
    return Spent(1, tokens_of(question.conversation), question.decoding.max_new_tokens)


def canonical(question: Question, *, endpoint: str, model: str, seed: int = 0) -> dict[str, Any]:
    """What identifies a question to a model: plain JSON values, no key, no header.

    The step and the check are no part of it: the same request serves them all.
    """
    decoding = question.decoding
    found: dict[str, Any] = {
        "endpoint": endpoint,
        "model": model,
        "messages": [{"role": turn.role, "content": turn.content} for turn in question.conversation],
        "max_tokens": decoding.max_new_tokens,
        "temperature": decoding.temperature,
        "stop": list(decoding.stop),
        "seed": decoding.seed + seed,
        "sample": decoding.sample,
        "logprobs": decoding.logprobs,
    }
    if question.response_format is not None:
        found["response_format"] = dict(question.response_format)
    return found


def wire(request: dict[str, Any], *, limit_name: str = "max_tokens") -> dict[str, Any]:
    """The body to send for a canonical request.

    Draws of one question differ by their seed: an endpoint that honours seeds would give the same reply to
    all of them otherwise. At temperature 0 no seed is sent.
    """
    body: dict[str, Any] = {
        "model": request["model"],
        "messages": request["messages"],
        limit_name: request["max_tokens"],
        "temperature": request["temperature"],
        "top_p": 1,
        "n": 1,
    }
    if request["temperature"] > 0:
        body["seed"] = request["seed"] + request["sample"]
    if request["stop"]:
        body["stop"] = request["stop"]
    if request["logprobs"]:
        body |= {"logprobs": True, "top_logprobs": request["logprobs"]}
    if "response_format" in request:
        body["response_format"] = request["response_format"]
    return body


def before_stop(text: str, stop: Sequence[str]) -> str:
    r"""The text before the first stop string: some endpoints leave it in.

    >>> before_stop("yes\nAnd also", ["\n"])
    'yes'
    """
    places = [text.find(word) for word in stop if word]
    return text[: min((place for place in places if place >= 0), default=len(text))]


def drawn(
    conversations: Sequence[Conversation], decoding: Decoding
) -> Iterator[tuple[Conversation, Decoding]]:
    """Each conversation with its decoding: equal ones are draws of their own, unless decoding is greedy."""
    seen: Counter[Conversation] = Counter()
    for conversation in conversations:
        yield conversation, replace(decoding, sample=seen[conversation] if decoding.temperature > 0 else 0)
        seen[conversation] += 1
