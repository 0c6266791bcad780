"""Kaggle's Digit Recognizer, from CSV files to a submission: does Swish beat ReLU, and how does that score?"""

# The order of the data flow. A stage imports from itself and from those before it; the modules beside them, from all.
STAGES = ("config", "data", "device", "network", "records", "training", "ensemble", "evidence", "report", "kaggle")
