"""PANDA: an expert's preferences, explained once, become insights in the prompt (arXiv 2402.12835)."""
