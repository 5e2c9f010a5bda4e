"""Public DNS: which zone a name is in, who serves that zone, and what they serve."""
