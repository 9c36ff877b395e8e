"""Many simulations for one question: what optimisations buy, what accuracy costs, which design is best."""
