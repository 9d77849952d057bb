"""One session as a pure state machine: records, speech scores and hypotheses in, commands out. No I/O, no clock, no threads."""
