"""Features of panels: learned on the past, applied anywhere, proven free of look-ahead."""
