"""What is asked of a spectrum and a structure together: peaks with fragments, peaks with atoms."""
