"""Why a method fails: leaks, what it uses, where it errs, what drove its decisions."""
