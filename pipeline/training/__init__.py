"""One member, then many."""
