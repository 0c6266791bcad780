"""The outcome for people: terminal, figures, page."""
