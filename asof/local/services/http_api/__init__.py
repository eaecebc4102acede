"""HTTP APIs that answer: the deployed routes, authorization, throttling, payload format 2.0, metrics and access log."""
