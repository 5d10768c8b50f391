"""Experts, data and mixture on the miniature, against the baselines of the paper."""
