"""Calibers, GDP releases, shares, published snapshots, plan targets."""
