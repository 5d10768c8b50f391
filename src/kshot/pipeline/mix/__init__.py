"""A mix from beginning to end: planned, scored on the shots, weighed, written, told."""
