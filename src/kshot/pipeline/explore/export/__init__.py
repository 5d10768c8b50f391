"""Rows of an exploration in the forms that trainers read, each with where it came from, and a data card."""

from kshot.pipeline.explore.export.card import Card
from kshot.pipeline.explore.export.forms import FORMS, Exported, Form, export_rows
from kshot.pipeline.explore.export.rows import example_of_row, row_record

__all__ = ["FORMS", "Card", "Exported", "Form", "example_of_row", "export_rows", "row_record"]
