"""Matrix products by themselves, one or a list, without a network around them."""
