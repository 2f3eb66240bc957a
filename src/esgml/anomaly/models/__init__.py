"""Anomaly models over tables of numbers, one file each; the file name is the model name."""
