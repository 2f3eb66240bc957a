"""Contract batteries: checks that every model and feature step passes; third parties run them."""
