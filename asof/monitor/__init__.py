"""What is told about runs and views: metrics and log lines. Standard library only."""
