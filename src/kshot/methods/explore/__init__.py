"""A domain mapped as a tree of tasks, then filled with examples (Explore-Instruct, arXiv 2310.09168)."""
