"""Filling: rows for each task, with the state of what is there, near-repeats dropped while they come."""

from kshot.methods.explore.fill.commit import Arrived, Judged, Sifted, commit, sifted, why_full
from kshot.methods.explore.fill.draws import decoding_of, drawn_number, picked
from kshot.methods.explore.fill.filling import drawn_examples, fill
from kshot.methods.explore.fill.options import FillOptions
from kshot.methods.explore.fill.rounds import Job, filled
from kshot.methods.explore.fill.sieve import Repeat, Sieve

__all__ = [
    "Arrived",
    "FillOptions",
    "Job",
    "Judged",
    "Repeat",
    "Sieve",
    "Sifted",
    "commit",
    "decoding_of",
    "drawn_examples",
    "drawn_number",
    "fill",
    "filled",
    "picked",
    "sifted",
    "why_full",
]
