"""What a reply says, read without ever failing: JSON whole, wrapped or cut, and marked blocks."""

from kshot.methods.explore.reading.array import JsonArray, json_array
from kshot.methods.explore.reading.blocks import block_lines, block_names, block_relevance, block_rows
from kshot.methods.explore.reading.fields import NO_TEXT, item_in, named_in, plain_text
from kshot.methods.explore.reading.objects import json_names, json_relevance, json_rows, read_answer

__all__ = [
    "NO_TEXT",
    "JsonArray",
    "block_lines",
    "block_names",
    "block_relevance",
    "block_rows",
    "item_in",
    "json_array",
    "json_names",
    "json_relevance",
    "json_rows",
    "named_in",
    "plain_text",
    "read_answer",
]
