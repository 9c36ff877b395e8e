"""The DRAM bursts of an operator in order, for memory simulators that play each one."""
