"""Parts of pages and of Markdown texts, in which nothing from data is markup."""
