"""From any table to clean series: read, check every fault, clean with a log, split by time."""
