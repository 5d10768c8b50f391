"""PANDA end to end: open the LLM and the expert, learn a pool, ask it, weigh the evidence."""
