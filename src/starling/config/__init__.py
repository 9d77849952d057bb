"""Settings as one frozen tree, where each value came from, and a doctor for the machine they are to run on."""
