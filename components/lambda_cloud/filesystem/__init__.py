"""Disks that outlive machines."""
