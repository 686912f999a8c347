"""From the values of a row to its messages, whatever the layout."""
