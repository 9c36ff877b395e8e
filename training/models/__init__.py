"""The networks behind the shipped workloads, in plain torch; importing this package imports none of them."""
