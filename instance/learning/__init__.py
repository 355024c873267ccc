"""From parsed files to patterns. Pure: values in, values out."""
