"""Replies of a causal language model: batched decoding with a key-value cache."""

from __future__ import annotations

import hashlib
import inspect
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from kshot.data.example import Conversation
from kshot.errors import ModelError
from kshot.models.base import Reply
from kshot.models.hf.batches import run_batches
from kshot.models.hf.loading import Loaded
from kshot.models.text.text_format import TextFormat

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, slots=True)
class Decoding:
    """How replies are drawn; see ``LanguageModel.generate``."""

    max_new_tokens: int = 64
    temperature: float = 0.0
    seed: int = 0
    stop: Sequence[str] = ()

    def __post_init__(self) -> None:
        if self.max_new_tokens < 1:
            raise ModelError(f"max_new_tokens is {self.max_new_tokens}, expected 1 or more")
        if not 0 <= self.temperature < float("inf"):
            raise ModelError(f"temperature is {self.temperature}, expected 0 (greedy) or a positive number")
        if isinstance(self.stop, str) or not all(self.stop):
            raise ModelError(f"stop is {self.stop!r}, expected a list of texts that are not empty")


@dataclass(slots=True)
class Written:
    """One reply in the making."""

    prompt: list[int]
    budget: int
    draws: NDArray[np.float64]
    new: list[int] = field(default_factory=list)
    reason: str = ""

    def take(self, token: int, *, ends: frozenset[int], stop: Stop) -> None:
        """One more token; notes whether the reply ends with it."""
        self.new.append(token)
        if token in ends or stop.reached(self.new):
            self.reason = "stop"
        elif len(self.new) >= self.budget:
            self.reason = "length"


@dataclass(frozen=True, slots=True)
class Stop:
    """Finds stop strings in what was generated."""

    strings: tuple[str, ...]
    text: TextFormat

    def reached(self, new: Sequence[int]) -> bool:
        """Whether a stop string just ended; a token holds a byte at least, so the tail is enough."""
        if not self.strings:
            return False
        window = max(len(text.encode()) for text in self.strings) + 4
        tail = self.text.decode(new[-window:])
        return any(text in tail for text in self.strings)

    def cut(self, text: str) -> str:
        """The text before the first stop string in it."""
        found = [place for place in (text.find(string) for string in self.strings) if place >= 0]
        return text[: min(found)] if found else text


def generate_replies(
    loaded: Loaded, conversations: Sequence[Conversation], decoding: Decoding
) -> list[Reply]:
    """One reply a conversation, in order.

    Greedy ties go to the lower token. Draws of a row depend on the seed, on its conversation and on how many
    equal conversations come before it in the list, never on its batch. A reply ends at an end token, before
    the first stop string, after ``max_new_tokens``, or where the model's positions end.

    Raises:
        ModelError: A prompt leaves no position for a reply, one row does not fit into memory, or the
            model's output is no number.
    """
    rows = reply_rows(loaded, conversations, decoding)
    return run_batches(
        [len(row.prompt) + row.budget for row in rows],
        lambda batch: _generate_batch(loaded, [rows[i] for i in batch], decoding),
        batch_tokens=loaded.batch_tokens,
        what=loaded.name,
    )


def reply_rows(loaded: Loaded, conversations: Sequence[Conversation], decoding: Decoding) -> list[Written]:
    """The prompts as tokens, nothing written yet.

    Raises:
        ModelError: A prompt leaves no room for a reply.
    """
    seen: Counter[Conversation] = Counter()
    rows = []
    for number, conversation in enumerate(conversations):
        prompt = loaded.text.encode_prompt(conversation)
        room = decoding.max_new_tokens if loaded.limit is None else loaded.limit - len(prompt)
        if room < 1 or not prompt:
            raise ModelError(
                f"{loaded.name}: the prompt of row {number} has {len(prompt)} tokens, the model has "
                f"{loaded.limit} positions; shorten the row or give fewer shots in the prompt"
            )
        draws = _draws(conversation, seen[conversation], decoding)
        rows.append(Written(prompt, min(room, decoding.max_new_tokens), draws))
        seen[conversation] += 1
    return rows


def _draws(conversation: Conversation, repeat: int, decoding: Decoding) -> NDArray[np.float64]:
    """(max_new_tokens,) uniform numbers of one row; none are needed for greedy decoding."""
    if decoding.temperature == 0:
        return np.zeros(0)
    turns = "\x1e".join(f"{turn.role}\x1f{turn.content}" for turn in conversation)
    digest = hashlib.sha256(turns.encode("utf-8", "surrogatepass")).digest()
    seeds = [decoding.seed % (1 << 64), repeat, *np.frombuffer(digest, dtype=np.uint32).tolist()]
    return np.random.default_rng(seeds).random(decoding.max_new_tokens)


def _generate_batch(loaded: Loaded, rows: Sequence[Written], decoding: Decoding) -> list[Reply]:
    """One left-padded batch; rows that are done leave it whenever half of it is done."""
    import torch

    for row in rows:
        row.new, row.reason = [], ""  # a batch may be tried again
    stop = Stop(tuple(decoding.stop), loaded.text)
    active = list(rows)
    step, mask = _left_padded(active, loaded)
    cache: Any = None
    with torch.inference_mode():
        while True:
            logits, cache = _forward(loaded, step, mask, cache)  # (B, V)
            for row, token in zip(active, _choose(logits, active, decoding, loaded), strict=True):
                if not row.reason:
                    row.take(token, ends=loaded.end_ids, stop=stop)
            alive = [i for i, row in enumerate(active) if not row.reason]
            if not alive:
                return [as_reply(row, loaded, stop) for row in rows]
            if 2 * len(alive) <= len(active) and _can_select(cache):
                chosen = torch.tensor(alive, device=loaded.device)
                cache.batch_select_indices(chosen)
                mask, active = mask[chosen], [active[i] for i in alive]
            step = torch.tensor([[row.new[-1]] for row in active], device=loaded.device)  # (B, 1)
            mask = torch.cat([mask, torch.ones_like(step)], dim=1)


def _left_padded(rows: Sequence[Written], loaded: Loaded) -> tuple[Tensor, Tensor]:
    import torch

    longest = max(len(row.prompt) for row in rows)
    ids = torch.zeros(len(rows), longest, dtype=torch.long)  # (B, T)
    mask = torch.zeros_like(ids)
    for i, row in enumerate(rows):
        ids[i, longest - len(row.prompt) :] = torch.tensor(row.prompt)
        mask[i, longest - len(row.prompt) :] = 1
    return ids.to(loaded.device), mask.to(loaded.device)


def _forward(loaded: Loaded, step: Tensor, mask: Tensor, cache: Any) -> tuple[Tensor, Any]:
    """Logits of the last position and the grown cache; positions count real tokens only."""
    accepted = inspect.signature(loaded.model.forward).parameters
    options: dict[str, Any] = {}
    if "position_ids" in accepted:
        # a row that is done may still be in the batch: its positions must not run over the model's
        most = None if loaded.limit is None else loaded.limit - 1
        options["position_ids"] = (mask.cumsum(1) - 1).clamp(min=0, max=most)[:, -step.shape[1] :]
    if "logits_to_keep" in accepted:
        options["logits_to_keep"] = 1
    out = loaded.model(input_ids=step, attention_mask=mask, past_key_values=cache, use_cache=True, **options)
    return out.logits[:, -1], out.past_key_values


def _choose(logits: Tensor, rows: Sequence[Written], decoding: Decoding, loaded: Loaded) -> list[int]:
    """The next token of each row: the likeliest, or where the row's draw falls."""
    if bool(logits.isnan().any()):
        raise ModelError(f"{loaded.name}: the model's output is no number; audit its weights or change dtype")
    if decoding.temperature == 0:
        greedy: list[int] = logits.argmax(-1).tolist()
        return greedy
    scaled = logits.float().cpu().numpy().astype(np.float64) / decoding.temperature  # (B, V)
    cumulated = np.exp(scaled - scaled.max(axis=1, keepdims=True)).cumsum(axis=1)
    drawn = []
    for row, mass in zip(rows, cumulated, strict=True):
        place = row.draws[min(len(row.new), len(row.draws) - 1)] * mass[-1]
        drawn.append(int(np.searchsorted(mass, place, side="right")))
    return [min(token, logits.shape[1] - 1) for token in drawn]


def _can_select(cache: Any) -> bool:
    return all(hasattr(layer, "batch_select_indices") for layer in getattr(cache, "layers", [None]))


def as_reply(row: Written, loaded: Loaded, stop: Stop) -> Reply:
    """What was written, as text without end token and stop string."""
    body = row.new[:-1] if row.new[-1] in loaded.end_ids else row.new
    return Reply(
        text=stop.cut(loaded.text.decode(body)),
        prompt_tokens=len(row.prompt),
        completion_tokens=len(row.new),
        finish_reason="stop" if row.reason == "stop" else "length",
    )
