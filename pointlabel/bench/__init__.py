"""Methods side by side over data sets: accuracy, and time per target."""
