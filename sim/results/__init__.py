"""What a simulation found, as plain data with units in its names: what reports and files are made of."""
