"""Training: tasks in parallel, cross-validated, resumed after a kill."""
