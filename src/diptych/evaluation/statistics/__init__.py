"""Figures of merit and what may be said of them: intervals, tests, strata, calibration."""
