"""Items, predictions and what follows from them; the models that are compared."""
