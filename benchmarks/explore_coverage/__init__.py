"""How much of a hidden domain each way of exploring reaches, at equal calls and at equal tokens."""
