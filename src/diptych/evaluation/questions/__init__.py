"""What is asked: known spectra, and the lists in which their molecules are sought."""
