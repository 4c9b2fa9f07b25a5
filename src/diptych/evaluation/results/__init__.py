"""What was answered: ranks, scores and metadata of every query, and their files."""
