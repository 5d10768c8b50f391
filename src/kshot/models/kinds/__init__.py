"""The kinds of model that can be mixed: decoders, encoders, rerankers, encoder-decoders."""
