"""Lambda functions that run: the deployed zip in warm processes of the server's own Python."""
