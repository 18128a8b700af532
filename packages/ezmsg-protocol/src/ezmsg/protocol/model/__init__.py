"""The nouns that messages carry: plain dataclasses without behaviour."""
