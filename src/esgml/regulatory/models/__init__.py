"""Classifiers of regulatory text, one file each; the file name is the model name."""
