"""Programs that run on the machine. There they are the package `scripts`, so its parts name each other relatively."""
