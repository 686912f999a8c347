"""The pinned base: a folder or a commit of the Hugging Face hub, every file checked by SHA-256 before it is used."""
