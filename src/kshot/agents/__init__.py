"""Interactive tasks: one loop for ReAct, SayCan and Reflexion, and the environments behind it."""
