"""Up and down: numbering, packing, publishing, applying."""
