"""Elastic fine-tuning on the miniature: what a trade gains, what the rest loses, what the mix keeps."""
