"""Emissions forecasting: models, honest backtests, intervals that hold, coherent totals."""
