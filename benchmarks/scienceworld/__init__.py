"""Interactive tasks: gold paths, speed and memory, and a whole run with a simulated model."""
