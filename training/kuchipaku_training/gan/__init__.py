"""Generative adversarial networks of faces: data, networks in Keras, evaluation, ONNX export.

Only `networks`, `augment` and `train` import TensorFlow; the rest works without it.
"""
