"""The spoke: studies one or more codebases and shares what it learns."""
