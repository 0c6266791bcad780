"""The round trip to Kaggle, from this machine only; never bundled."""
