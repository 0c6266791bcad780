"""Kaggle's Digit Recognizer, from CSV files to a submission: does Swish beat ReLU, and how does that score?"""
