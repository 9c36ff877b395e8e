"""Second opinions on every model: machines that are played, and how closely the closed forms agree with them."""
