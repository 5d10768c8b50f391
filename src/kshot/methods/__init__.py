"""Decisions: pure functions of shots and measurements wherever that is possible."""
