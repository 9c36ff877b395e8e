"""What every kind of report is made of: words, numbers with units, tables, pages, files."""
