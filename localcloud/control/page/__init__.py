"""The page at `/`: what `status` says, live, and the control side by hand. Its files are served as they lie here."""
