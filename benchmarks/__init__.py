"""Benchmarks: figures are printed; the committed ones lie beside the code that made them."""
