"""The version of this package, readable without importing Keras."""

__version__ = "0.1.0"
