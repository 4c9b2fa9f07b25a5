"""One report of it all: sections, tables and pictures in a self-contained page."""
