"""Choosing data: a million rows against the bare product, near-duplicates against scipy, the miniature."""
