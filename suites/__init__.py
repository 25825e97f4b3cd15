"""What is proven: a folder per topic, a module per stage."""
