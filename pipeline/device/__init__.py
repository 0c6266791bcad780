"""What this machine computes on, and what it computes fastest."""
