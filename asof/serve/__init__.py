"""From a request to its response, framework-free: what the HTTP API, a Lambda and ``FeatureStore`` share."""
