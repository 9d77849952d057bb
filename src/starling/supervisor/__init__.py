"""The process above the others: it starts them, watches them, replaces them, and says whose each session is."""
