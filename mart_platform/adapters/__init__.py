"""Adapters: what stands behind each port on a real machine. One module or package for each port."""
