"""The ways to ask E adapters K rows, each as a function of (losses?, replies?) over a list of experts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kshot.data.example import Conversation
from kshot.data.template import Target
from kshot.models.hf import AdaptedModel, HfModel
from kshot.models.hf.batches import run_batches
from kshot.models.hf.generate import Decoding, generate_replies
from kshot.models.hf.group import StoredExpert, together
from kshot.models.hf.losses import cross_entropy, token_losses

GROUP = 4


@dataclass(frozen=True, slots=True)
class Shots:
    """What every expert is asked."""

    conversations: Sequence[Conversation]
    targets: Sequence[Target]
    max_new_tokens: int


Ask = Callable[[Sequence[int], bool, bool], list[Any]]


def grouped(base: HfModel, folders: Sequence[Path], shots: Shots) -> Ask:
    """kshot: groups, read from the disk each time; losses and replies in one pass where both are asked."""
    experts = [StoredExpert(base, folder) for folder in folders]

    def ask(which: Sequence[int], losses: bool, replies: bool) -> list[Any]:
        found: list[Any] = []
        for _, group in together([experts[i] for i in which], size=GROUP):
            answers = group.ask(  # type: ignore[union-attr]
                shots.conversations,
                targets=shots.targets if losses else None,
                decoding=Decoding(shots.max_new_tokens) if replies else None,
            )
            found += [(one.losses, one.replies) for one in answers]
        return found

    return ask


def one_by_one(base: HfModel, folders: Sequence[Path], shots: Shots) -> Ask:
    """Kshot without groups: PEFT attached for each call, one adapter in memory."""
    experts = [AdaptedModel(base.loaded, folder, base_id=base.id) for folder in folders]

    def ask(which: Sequence[int], losses: bool, replies: bool) -> list[Any]:
        return [
            (
                experts[i].token_losses(shots.conversations, shots.targets) if losses else (),
                experts[i].generate(shots.conversations, max_new_tokens=shots.max_new_tokens)
                if replies
                else (),
            )
            for i in which
        ]

    return ask


def base_alone(base: HfModel, shots: Shots) -> Ask:
    """The base without any adapter, asked as often: what no way that reads each prompt anew goes below."""

    def ask(which: Sequence[int], losses: bool, replies: bool) -> list[Any]:
        return [_asked(base, shots, losses, replies) for _ in which]

    return ask


def all_loaded(base: HfModel, folders: Sequence[Path]) -> Any:
    """A PEFT model with all adapters in memory, each under its number; ``base`` is changed for good."""
    from peft import PeftModel

    model = PeftModel.from_pretrained(base.model, folders[0], adapter_name="0")
    for number, folder in enumerate(folders[1:], start=1):
        model.load_adapter(folder, adapter_name=str(number))
    return model.eval()


def set_adapter(model: Any, base: HfModel, shots: Shots) -> Ask:
    """PEFT: ``set_adapter`` in turn, same loops and batch budget as kshot's."""

    def ask(which: Sequence[int], losses: bool, replies: bool) -> list[Any]:
        found = []
        for i in which:
            model.set_adapter(str(i))
            found.append(_asked(base, shots, losses, replies))
        return found

    return ask


def adapter_names(model: Any, base: HfModel, shots: Shots) -> Ask:
    """PEFT: batches of several adapters through ``adapter_names``, as many experts in a batch as a group."""
    text, budget = base.text, base.loaded.batch_tokens
    scored = [text.encode(c, t) for c, t in zip(shots.conversations, shots.targets, strict=True)]
    prompts = [text.encode_prompt(conversation) for conversation in shots.conversations]

    def ask(which: Sequence[int], losses: bool, replies: bool) -> list[Any]:
        found: list[Any] = []
        for at in range(0, len(which), GROUP):
            names = [str(i) for i in which[at : at + GROUP]]
            cells = [(name, row) for row in range(len(prompts)) for name in names]
            nats = _mixed_losses(model, scored, cells, budget) if losses else []
            new = _mixed_replies(model, prompts, cells, budget, shots.max_new_tokens) if replies else []
            for place in range(len(names)):
                found.append((nats[place :: len(names)], new[place :: len(names)]))
        return found

    return ask


def _asked(base: HfModel, shots: Shots, losses: bool, replies: bool) -> Any:
    decoding = Decoding(shots.max_new_tokens)
    return (
        token_losses(base.loaded, shots.conversations, shots.targets) if losses else (),
        generate_replies(base.loaded, shots.conversations, decoding) if replies else (),
    )


def _mixed_losses(
    model: Any, rows: Sequence[Any], cells: Sequence[tuple[str, int]], budget: int
) -> list[Any]:
    import numpy as np
    import torch

    def run(batch: list[int]) -> list[Any]:
        batch_rows = [rows[cells[i][1]] for i in batch]
        ids, mask = _padded([row.ids for row in batch_rows], left=False)
        first = min(row.start for row in batch_rows) - 1
        keep = torch.arange(first, ids.shape[1] - 1)
        with torch.inference_mode():
            logits = model(
                input_ids=ids,
                attention_mask=mask,
                use_cache=False,
                logits_to_keep=keep,
                adapter_names=[cells[i][0] for i in batch],
            ).logits
        at = [(i, t - 1 - first) for i, row in enumerate(batch_rows) for t in range(row.start, len(row.ids))]
        wanted = torch.tensor([token for row in batch_rows for token in row.ids[row.start :]])
        nats = cross_entropy(logits, torch.tensor(at).T, wanted).numpy()
        return np.split(nats, np.cumsum([row.target_count for row in batch_rows])[:-1])

    return run_batches([len(rows[row].ids) for _, row in cells], run, batch_tokens=budget, what="peft")


def _mixed_replies(
    model: Any, prompts: Sequence[list[int]], cells: Sequence[tuple[str, int]], budget: int, length: int
) -> list[Any]:
    import torch

    def run(batch: list[int]) -> list[Any]:
        ids, mask = _padded([prompts[cells[i][1]] for i in batch], left=True)
        with torch.inference_mode():
            out = model.generate(
                input_ids=ids,
                attention_mask=mask,
                do_sample=False,
                max_new_tokens=length,
                pad_token_id=0,
                adapter_names=[cells[i][0] for i in batch],
            )
        return out[:, ids.shape[1] :].tolist()  # type: ignore[no-any-return]

    lengths = [len(prompts[row]) + length for _, row in cells]
    return run_batches(lengths, run, batch_tokens=budget, what="peft")


def _padded(rows: Sequence[Sequence[int]], *, left: bool) -> tuple[Any, Any]:
    import torch

    longest = max(map(len, rows))
    ids = torch.zeros(len(rows), longest, dtype=torch.long)
    mask = torch.zeros_like(ids)
    for i, row in enumerate(rows):
        place = slice(longest - len(row), None) if left else slice(0, len(row))
        ids[i, place], mask[i, place] = torch.tensor(row), 1
    return ids, mask
