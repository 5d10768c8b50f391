"""What is asked: language models, embedders, classifiers, adapters and the bank that holds them."""
