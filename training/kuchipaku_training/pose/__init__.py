"""The starter pose networks: data, training, evaluation and export of a pose model pack."""
