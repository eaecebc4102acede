"""State machines that run: moto's interpreter with Athena's waiting integration, virtual waits, metrics and redrive."""
