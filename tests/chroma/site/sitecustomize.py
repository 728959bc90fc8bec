# SPDX-License-Identifier: Apache-2.0
"""A Chroma in Python uses one thread for its index (python loads this by itself, see ../lib.sh).

With as many as there are processors, the order in which a batch is added is chance, and with it
the graph, what a query finds in it, and which updates Chroma loses.
"""
import multiprocessing

multiprocessing.cpu_count = lambda: 1
