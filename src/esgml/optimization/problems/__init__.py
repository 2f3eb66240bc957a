"""The problem library, one file each; the file name is the problem's name."""
