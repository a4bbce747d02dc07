"""What `experiments/chaos.py` does to a search: one kind of fault a file."""
