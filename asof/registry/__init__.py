"""The registry: what is published, kept for ever, and refused where a published version would change its meaning."""
