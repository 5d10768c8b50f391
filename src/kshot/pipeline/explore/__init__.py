"""Exploring as a job: a folder that is written after each round, guarded, resumed, exported, told."""
