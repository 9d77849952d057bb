"""Speakers in real time, many at once, in any protocol that is spoken here: how soon they hear their words, and what it costs."""
