"""An optional sentence model, all-MiniLM-L6-v2 from a wheel, read and run with numpy alone."""
