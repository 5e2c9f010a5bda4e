"""The TXT records that a run adds, and sees gone again."""
