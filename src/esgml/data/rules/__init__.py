"""The rules at the door: each looks at one kind of fault, over all rows at once."""
