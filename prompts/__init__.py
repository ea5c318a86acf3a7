"""The words given to the model, as Markdown, and their one loader."""
