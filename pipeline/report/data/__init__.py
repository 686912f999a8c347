"""reports/data.html: what became of every row."""
