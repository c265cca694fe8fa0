"""The store: Crossport's memory as SQL. ``open.open_store`` picks the engine; SQL itself stands in .sql files."""
