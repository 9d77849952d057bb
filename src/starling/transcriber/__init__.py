"""Recordings to text: the loop that takes jobs, and the processes of one recording each that do them.

``transcribe`` is the work itself: blocks of sound in, finals out, at any speed, with the text of live recognition.
"""
