"""What programs report over OpenTelemetry's protocol, read as results: one for each request to a model."""
