"""The cluster under test: how it is reached, held and described."""
