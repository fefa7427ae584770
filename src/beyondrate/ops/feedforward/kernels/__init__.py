"""What compiled code does to one tile: a file a kind of stage."""
