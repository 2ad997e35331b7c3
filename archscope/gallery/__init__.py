"""A report as a folder: figures, tables, an explorer, a page that tells the command of each."""
