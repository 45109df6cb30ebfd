"""What a job's outcomes come to: rates, time left, percentiles, who answered. No IO, no clock."""
