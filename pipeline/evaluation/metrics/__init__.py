"""Figures that follow from predictions: metrics, calibration, robustness, the matrix of releases and slices."""
