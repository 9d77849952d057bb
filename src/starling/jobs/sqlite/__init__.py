"""Jobs in one SQLite file, which any number of processes of a host share."""
