"""Attachments: what was uploaded, checked by content, kept outside the web root."""
