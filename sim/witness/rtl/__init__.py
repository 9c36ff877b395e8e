"""The hardware in SystemVerilog (``accel/rtl``), simulated by Icarus Verilog: a witness of the register machine.

The machine in ``sim.witness.machines`` is told of every step in a table; here the control is hardware, too: counters
say what issues, and wires say when the next fold may begin. What the two share is how operands are cut into groups and
pairs. Needs ``iverilog`` and ``vvp`` (Debian's ``iverilog``); nothing that simulates a step imports this.
"""
