"""A pretrained chemical language model as the structure tower."""
