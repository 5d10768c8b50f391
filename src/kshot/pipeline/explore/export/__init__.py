"""Rows of an exploration in the forms that trainers read, each with where it came from, and a data card."""

from kshot.pipeline.explore.export.card import Card
from kshot.pipeline.explore.export.forms import FILES, FORMS, Exported, Form, export_rows
from kshot.pipeline.explore.export.place import check_export_place
from kshot.pipeline.explore.export.rows import example_of_row, fault, row_record

__all__ = [
    "FILES",
    "FORMS",
    "Card",
    "Exported",
    "Form",
    "check_export_place",
    "example_of_row",
    "export_rows",
    "fault",
    "row_record",
]
