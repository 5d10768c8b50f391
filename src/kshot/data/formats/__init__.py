"""Files of rows in and out: JSONL, JSON, CSV, TSV and Parquet, in the row formats that people have."""

from kshot.data.formats.read import ReadResult, iter_examples, read_examples, write_examples

__all__ = ["ReadResult", "iter_examples", "read_examples", "write_examples"]
