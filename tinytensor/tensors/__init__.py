"""The class Tensor, and the functions that make, print, draw and store Tensors.

tensor.py     the class: an array, its gradient, its node
creation.py   tensor, zeros, arange, linspace, ...
sampling.py   rand, randn, randint, ...
printing.py   what print(x) shows
drawing.py    draw_dot: the graph as a picture
files.py      save and load; with safetensors.py, the format, replacing.py, which writes a file as a
              whole, and memory.py, which finds the Tensors that share memory
"""
