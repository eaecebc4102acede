"""The deployment as code: two stacks per environment and one for the pipeline."""
