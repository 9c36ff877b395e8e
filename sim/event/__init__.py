"""A step as events: engines, DMA and DRAM channels as simpy processes that exchange tiles and stream chunks.

Events are tiles and chunks, never cycles. The tile's own cycles come from ``accel``; what moves for it comes from
walking the loop nest (``tile_walk``); time is found by letting the processes run. Nothing of the analytic step is
used.
"""
