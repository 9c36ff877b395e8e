"""What a design takes of an FPGA, by component, and whether it fits a part.

Counted from the hardware of ``accel/rtl``: registers and distributed memories in closed form, look-up tables by a form
fitted to what Yosys maps; floating-point operators from ``configs/operators``. Not counted: memory controllers, DMA
engines, PCI Express, clocking. **No clock is claimed**: nothing is placed or routed.
"""
