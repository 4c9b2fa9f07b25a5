"""The command line: one file per command, each around one library call."""
