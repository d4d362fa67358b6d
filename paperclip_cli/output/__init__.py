"""What a person or a program reads: tables, files, pages and figures."""
