"""One process per job: commands on stdin, events on stdout."""
