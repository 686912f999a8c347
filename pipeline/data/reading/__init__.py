"""From bytes on disk to the values of each row, whatever the format."""
