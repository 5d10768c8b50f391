"""Made-up calls of the usual size: three insights, a question, one word back."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import accumulate

from kshot.models.journal import Call, Prices, request_key

SYSTEM = "You label short messages. Answer with the name of one label and nothing else."
LABELS = ("anger", "joy", "optimism", "sadness")
NOW = datetime.now(UTC).isoformat()


def vocabulary(size: int = 8_000) -> list[str]:
    """Made-up words, drawn with the skew of natural ones below."""
    draw = random.Random(0)
    letters = "etaoinshrdlucmfwypvbgkqjxz"
    weights = range(len(letters), 0, -1)
    return ["".join(draw.choices(letters, weights, k=draw.randint(2, 9))) for _ in range(size)]


def calls(count: int, *, seed: int = 0) -> Iterator[Call]:
    """Different requests of about 1,300 characters."""
    draw = random.Random(seed)
    words = vocabulary()
    weights = list(accumulate(1 / (rank + 3) for rank in range(len(words))))
    pool = [
        " ".join(draw.choices(words, cum_weights=weights, k=45)) for _ in range(3_000)
    ]  # a pool's insights come again
    for number in range(count):
        insights = "\n\n".join(f"Insight {i + 1}: {draw.choice(pool)}" for i in range(3))
        message = f"{' '.join(draw.choices(words, cum_weights=weights, k=18))} {number}"
        prompt = f"{insights}\n\nMessage: {message}\n\nLabels: {', '.join(LABELS)}\n\nLabel:"
        request = {
            "model": "made-up-model",
            "messages": [{"role": "system", "content": SYSTEM}, {"role": "user", "content": prompt}],
            "temperature": 0,
            "max_tokens": 32,
            "sample": 0,
        }
        yield Call(
            request_key(request),
            "made-up-model",
            endpoint="http://127.0.0.1:8000/v1",
            step="answer",
            request=request,
            text=draw.choice(LABELS),
            prompt_tokens=300,
            completion_tokens=2,
            usd=0.00005,
            prices=Prices(0.15, 0.6),
            latency_s=0.4,
            created=NOW,
        )
