"""A mix of models at rest: planned from headers, then streamed from disk to disk."""
