"""What the speed claims rest on: one command per claim, competitors alternating, results as JSON."""
