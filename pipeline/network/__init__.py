"""An activation and an architecture by name to a Keras model."""
