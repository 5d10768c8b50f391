"""The insight pool: records, header and folder; learned by appending; imported, pruned, merged, compared."""

from kshot.methods.panda.pool.facts import PoolFacts, Spread, approximate_tokens, inspect
from kshot.methods.panda.pool.header import EncoderFacts, PoolHeader, PoolKind
from kshot.methods.panda.pool.insight_pool import InsightPool
from kshot.methods.panda.pool.released import released_variations
from kshot.methods.panda.pool.vectors import (
    OnBlock,
    PoolVectors,
    embed_pool,
    encoder_facts,
    open_vectors,
    unit_rows,
)
from kshot.methods.panda.pool.verbs import Changed, Dropped, PoolDiff, deduplicate, diff, merge, prune
from kshot.methods.panda.pool.writer import PoolWriter

__all__ = [
    "Changed",
    "Dropped",
    "EncoderFacts",
    "InsightPool",
    "OnBlock",
    "PoolDiff",
    "PoolFacts",
    "PoolHeader",
    "PoolKind",
    "PoolVectors",
    "PoolWriter",
    "Spread",
    "approximate_tokens",
    "deduplicate",
    "diff",
    "embed_pool",
    "encoder_facts",
    "inspect",
    "merge",
    "open_vectors",
    "prune",
    "released_variations",
    "unit_rows",
]
