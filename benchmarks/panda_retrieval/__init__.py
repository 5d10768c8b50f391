"""Retrieval from an insight pool: one encode and one matrix-vector product against re-encoding the pool."""
