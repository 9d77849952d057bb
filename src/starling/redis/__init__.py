"""Redis as Starling uses it, for whatever it holds there: how it is opened, and what is said where that does not work."""
