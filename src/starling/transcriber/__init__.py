"""The process that turns recordings into text: it claims jobs, decodes, recognizes, and stores what it found."""
