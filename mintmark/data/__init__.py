"""Records: their canonical form in Parquet, the sources they come from, and their splits."""
