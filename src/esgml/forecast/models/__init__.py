"""Forecasting models, one file each; the file name is the model name."""
