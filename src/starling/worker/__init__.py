"""What runs where the model is. Start with ``recognize.py``."""
