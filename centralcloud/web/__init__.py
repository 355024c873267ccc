"""What centralcloud shows over HTTP: data for programs and for the dashboard."""
