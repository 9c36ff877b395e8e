"""What an unknown design may be: which drawn designs agree with all that is claimed of it, and what they agree on."""
