"""What goes along with a training and changes no byte: watches that stop it, progress, trackers, signals."""
