"""Machines that are Debian: systemd from the first process on, sshd, cloud-init, and a network of their own.

A machine is a container of `systemd-nspawn` on a copy-on-write disk over one image. What it is not:

- It is not a second computer. It shares the kernel, the memory and the processors with this one, and its root is this
  computer's root with fewer capabilities: run on it only what you would run yourself.
- It has no GPU and no kernel modules of its own.
- Its address leads to it from this computer, and from others only if they route it here.
"""
